"""Ten times a worker's capacity, for a minute: `python -m loadtest.bench.overload`, or `make overload`.

Batches of 32 texts arrive open-loop. Accepted requests wait no longer than twice the queue's time bound (the most
tokens that waited, at the measured speed), refusals come at once and say when to return, the probes answer throughout,
and every answer belongs to its own texts.
"""

import math
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from loadtest.bench.ending import end_cleanly_on_sigterm
from loadtest.bench.probes import Queue, probes, wait_for_queue
from loadtest.bench.reference import REQUEST as BATCH
from loadtest.bench.reference import run_ask_all
from loadtest.bench.trial import Capacity, capacity, fresh, keep, mean_of
from loadtest.bench.verdict import Bound, conclude
from loadtest.openloop import Background, Plan, Poisson, Row, Run, Stream
from loadtest.percentiles import percentile
from loadtest.variables import positive
from stack.ports import HOST
from stack.prober import Prober

TIMES = 10.0
ANSWER_SECONDS = 30.0
EMPTY_SECONDS = 10.0
# Refusing takes the rest on two cores, with the load generator on them: 8 to 25 % in five runs on two machines.
# Work that is accepted and then expires costs far more: a worker that accepted it kept a third of its capacity.
KEPT = 0.7


def main() -> int:
    """Exit code 1 when a bound is missed."""
    seconds = positive("SECONDS", 60.0)
    with fresh() as running, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        reference = Path(folder, "reference.npz")
        run_ask_all(running.port).save(reference)
        able = capacity(running.port)
        rate = TIMES * able.texts_per_s / BATCH
        print(f"{rate:.0f} requests/s of {BATCH} texts for {seconds:g} s", flush=True)
        stream = Stream(f"loadtest.bench.reference:asking:{reference}", f"http://{HOST}:{running.port}")
        plan = Plan(Poisson(rate, seed=1), (stream,), seconds, timeout=ANSWER_SECONDS)
        with probes(running.port) as prober, Queue(running.port) as queue:
            run, cpu = _overload(plan, Path(folder, "rows.jsonl"))
        left, _ = wait_for_queue(running.port, 0, EMPTY_SECONDS)
        # Before and after: a machine's speed may change by a third within a minute.
        able = mean_of(able, capacity(running.port))
    keep("overload", (_row(each, run.begin) for each in run.rows))
    print(f"answers: {dict(Counter(map(_outcome, run.rows)))}; the load generator used {cpu:.0%} of one CPU")
    bounds = [*_bounds(run, able, queue.tokens), *_probe_bounds(prober), *_identity(run.rows), _empty(left)]
    return conclude(bounds)


def _overload(plan: Plan, rows: Path) -> tuple[Run, float]:
    """The run, and the share of one CPU that its generator used."""
    began, used = time.monotonic(), _children()
    with Background(plan, rows) as load:
        load.wait()
    return load.run, (_children() - used) / (time.monotonic() - began)


def _children() -> float:
    """Seconds of CPU time of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _outcome(row: Row) -> str:
    """The status, or the name of the error."""
    return str(row.status or row.error)


def _row(each: Row, begin: float) -> dict[str, object]:
    return {
        "at": each.scheduled - begin,
        "lag": each.lag,
        "outcome": _outcome(each),
        "ms": each.latency * 1000,
        "retry_after": each.retry_after,
    }


def _bounds(run: Run, able: Capacity, tokens: list[float]) -> list[Bound]:
    sent = run.rows
    accepted = [each for each in sent if each.status == 200]
    refused = [each for each in sent if each.status == 503]
    silent = [each for each in refused if each.retry_after is None]
    most = max(tokens, default=0.0)
    waiting = most / able.tokens_per_s
    span = max(each.scheduled for each in sent) - run.begin
    print(f"queue: at most {most:,.0f} tokens, {waiting:.2f} s of work")
    return [
        Bound(f"accepted, texts/s (capacity x {KEPT})", len(accepted) * BATCH / span, "≥", KEPT * able.texts_per_s),
        Bound("accepted, p99 s (2 x the queue's time bound)", _p99(accepted), "≤", 2 * waiting),
        Bound("share that left over 50 ms late", run.verdict.late / len(sent), "≤", 0.01),
        Bound("refused", len(refused), "≥", 1),
        Bound("refused, p99 ms", _p99(refused) * 1000, "≤", 50),
        Bound("refused without Retry-After", len(silent), "=", 0),
        Bound("neither accepted nor refused", len(sent) - len(accepted) - len(refused), "=", 0),
    ]


def _p99(rows: list[Row]) -> float:
    return percentile([each.latency for each in rows] or [math.inf], 99)


def _probe_bounds(prober: Prober) -> list[Bound]:
    bounds = []
    for probe, track in prober.tracks.items():
        bounds.append(Bound(f"{probe}, not 200", sum(look.value != "200" for look in track.looks), "=", 0))
        bounds.append(
            Bound(f"{probe}, p99 ms", percentile([look.seconds for look in track.looks], 99) * 1000, "≤", 100)
        )
    return bounds


def _identity(rows: Sequence[Row]) -> list[Bound]:
    compared = sum(each.status == 200 for each in rows) * BATCH
    print(f"{compared:,} vectors compared with those of an idle worker")
    wrong = [each.error for each in rows if each.status == 200 and each.error]
    return [Bound("answers with vectors of another text", len(wrong), "=", 0)]


def _empty(left: float) -> Bound:
    return Bound("tokens left in the queue", left, "=", 0)


if __name__ == "__main__":
    end_cleanly_on_sigterm()
    sys.exit(main())
