"""Ten times what a worker can do, for a minute: `python -m loadtest.bench.overload`, or `make overload`.

Batches of 32 texts arrive open-loop. Accepted requests wait no longer than twice the queue's time bound (the most
tokens that waited, at the measured speed), refusals come at once and say when to return, the probes answer throughout,
and every answer belongs to its own texts.
"""

import asyncio
import os
import sys
import time
from collections import Counter
from itertools import takewhile

import uvloop

from loadtest.bench.ending import end_cleanly_on_sigterm
from loadtest.bench.open_loop import OpenLoop, Sent
from loadtest.bench.probes import Queue, probes, wait_for_queue
from loadtest.bench.reference import Reference, run_ask_all
from loadtest.bench.trial import Capacity, capacity, fresh, keep, mean_of
from loadtest.bench.verdict import Bound, conclude
from loadtest.openloop.schedule import Poisson
from loadtest.openloop.verdict import LATE
from loadtest.percentiles import percentile
from stack.prober import Prober

TIMES = 10.0
BATCH = 32
EMPTY_SECONDS = 10.0
# The rest is what refusing takes on two cores, with the load generator on them: 8 to 25 % in five runs on two machines.
# Work that is accepted and then expires takes far more: a worker that let it wait kept a third of its capacity.
KEPT = 0.7


def main() -> int:
    """Exit code 1 when a bound is missed."""
    seconds = float(os.environ.get("SECONDS") or 60)
    with fresh() as running:
        reference = run_ask_all(running.port)
        able = capacity(running.port)
        rate = TIMES * able.texts_per_s / BATCH
        print(f"{rate:.0f} requests/s of {BATCH} texts for {seconds:g} s", flush=True)
        with (
            probes(running.port) as prober,
            Queue(running.port) as queue,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            sent, cpu = runner.run(_overload(running.port, rate, seconds))
        left, _ = wait_for_queue(running.port, 0, EMPTY_SECONDS)
        # Before and after: a machine's speed may change by a third within a minute.
        able = mean_of(able, capacity(running.port))
    keep("overload", map(_row, sent))
    print(f"answers: {dict(Counter(each.outcome for each in sent))}; the load generator used {cpu:.0%} of one CPU")
    return conclude(
        [*_bounds(sent, able, queue.tokens), *_probe_bounds(prober), *_identity(sent, reference), _empty(left)]
    )


async def _overload(port: int, rate: float, seconds: float) -> tuple[list[Sent], float]:
    load = OpenLoop(port, BATCH)
    began, used = time.perf_counter(), time.process_time()
    await load.run(takewhile(lambda at: at < seconds, Poisson(rate, seed=1).offsets()))
    return load.sent, (time.process_time() - used) / (time.perf_counter() - began)


def _row(each: Sent) -> dict[str, object]:
    retry_after = each.answer.headers.get("retry-after") if each.answer else None
    return {
        "at": each.at,
        "lag": each.lag,
        "outcome": each.outcome,
        "ms": each.seconds * 1000,
        "retry_after": retry_after,
    }


def _bounds(sent: list[Sent], able: Capacity, tokens: list[float]) -> list[Bound]:
    accepted = [each for each in sent if each.outcome == "200"]
    refused = [each for each in sent if each.outcome == "503"]
    silent = [each for each in refused if each.answer and not each.answer.headers.get("retry-after", "").isdecimal()]
    most = max(tokens, default=0.0)
    waiting = most / able.tokens_per_s
    span = max(each.at for each in sent)
    print(f"queue: at most {most:,.0f} tokens, {waiting:.2f} s of work")
    return [
        Bound(f"accepted, texts/s (capacity x {KEPT})", len(accepted) * BATCH / span, "≥", KEPT * able.texts_per_s),
        Bound("accepted, p99 s (2 x the queue's time bound)", _p99(accepted), "≤", 2 * waiting),
        Bound("share that left over 50 ms late", sum(each.lag > LATE for each in sent) / len(sent), "≤", 0.01),
        Bound("refused", len(refused), "≥", 1),
        Bound("refused, p99 ms", _p99(refused) * 1000, "≤", 50),
        Bound("refused without Retry-After", len(silent), "=", 0),
        Bound("neither accepted nor refused", len(sent) - len(accepted) - len(refused), "=", 0),
    ]


def _p99(sent: list[Sent]) -> float:
    return percentile([each.seconds for each in sent] or [float("inf")], 99)


def _probe_bounds(prober: Prober) -> list[Bound]:
    bounds = []
    for probe, track in prober.tracks.items():
        bounds.append(Bound(f"{probe}, not 200", sum(look.value != "200" for look in track.looks), "=", 0))
        bounds.append(
            Bound(f"{probe}, p99 ms", percentile([look.seconds for look in track.looks], 99) * 1000, "≤", 100)
        )
    return bounds


def _identity(sent: list[Sent], reference: Reference) -> list[Bound]:
    accepted = [(each.numbers, each.answer) for each in sent if each.answer and each.answer.status == 200]
    checked = [reference.wrong(numbers, answer) for numbers, answer in accepted]
    lowest = min((cosine for _, cosine in checked), default=0.0)
    print(f"{len(checked) * BATCH:,} vectors compared with those of an idle worker; lowest cosine {lowest:.6f}")
    return [Bound("vectors of another text", sum(wrong for wrong, _ in checked), "=", 0)]


def _empty(left: float) -> Bound:
    return Bound("tokens left in the queue", left, "=", 0)


if __name__ == "__main__":
    end_cleanly_on_sigterm()
    sys.exit(main())
