"""Ten minutes of mixed load: `python -m loadtest.bench.soak`, or `make soak`; SECONDS=60 shortens it.

It compares memory and speed of the last minute with those of the first. Eight clients send single texts, batches, and
texts at maximum length, all different, without a pause.
"""

import sys
from collections.abc import Iterator
from itertools import count
from statistics import mean
from typing import Any

from loadtest.bench.cases import memory
from loadtest.bench.closed_loop import closed_loop
from loadtest.bench.dialects import WORKER
from loadtest.bench.ending import end_cleanly_on_sigterm
from loadtest.bench.texts import long_text, text
from loadtest.bench.trial import fresh, keep
from loadtest.bench.verdict import Bound, conclude
from loadtest.percentiles import percentile
from loadtest.variables import positive

CLIENTS = 8
SIZES = (1, 1, 1, 8, 1, 1, 32, 0)  # texts of a request; 0: one at maximum length
INTERVAL = 10.0  # seconds between two looks
MINUTE = 6  # intervals
SETTLE = 20.0  # seconds before the first minute
LARGEST = 32  # texts at maximum length, so that buffers grow to the largest pass before the measurement


def main() -> int:
    """Exit code 1 when a bound is missed."""
    seconds = positive("SECONDS", 600.0)
    interval = min(INTERVAL, seconds / 6)
    rows: list[dict[str, Any]] = []
    with fresh() as running:
        requests, settle = _mixed(), min(SETTLE, seconds / 3) / 2
        for each in (_largest(), requests):
            closed_loop(running.port, WORKER, each, CLIENTS, seconds=settle, warm=0.0)
        for number in range(round(seconds / interval)):
            load = closed_loop(running.port, WORKER, requests, CLIENTS, seconds=interval, warm=0.0)
            row = {
                "at": (number + 1) * interval,
                "texts_per_s": load.texts_per_s,
                "p50_ms": load.p50_ms,
                "p99_ms": percentile(load.latencies, 99) * 1000,
                "errors": load.errors.total(),
                "client_cpu": load.cpu,
                **memory(running.pids()),
            }
            rows.append(row)
            print("  ".join(f"{name} {value:,.1f}" for name, value in row.items()), flush=True)
    keep("soak", rows)
    return conclude(_bounds(rows))


def _mixed() -> Iterator[list[str]]:
    """Requests of every size, for ever; a text repeats after 5.7 million."""
    number = 0
    for turn in count():
        size = SIZES[turn % len(SIZES)]
        yield [text(number + offset) for offset in range(size)] if size else [long_text(number)]
        number += size or 24


def _largest() -> Iterator[list[str]]:
    """Requests that fill forward passes at maximum length."""
    for turn in count():
        yield [long_text(turn * LARGEST + number) for number in range(LARGEST)]


def _bounds(rows: list[dict[str, Any]]) -> list[Bound]:
    minute = max(1, min(MINUTE, len(rows) // 3))
    first, last = rows[:minute], rows[-minute:]

    def change(figure: str) -> float:
        before, after = (mean(float(row[figure]) for row in part) for part in (first, last))
        return after / before

    return [
        Bound("texts/s, last minute / first", change("texts_per_s"), "≥", 0.9),
        Bound("resident memory, last minute / first", change("rss_mb"), "≤", 1.05),
        Bound("answers that were wrong or missing", sum(row["errors"] for row in rows), "=", 0),
    ]


if __name__ == "__main__":
    end_cleanly_on_sigterm()
    sys.exit(main())
