"""Searches while documents are stored at ten times the capacity: `python -m loadtest.bench.flood`, or `make flood`.

Each round measures searches alone, beside the flood, and beside the same flood with `X-Priority: interactive`, which is
the control: everything in one lane. SECONDS and ROUNDS change how long and how often.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from statistics import median

from loadtest.bench.ending import end_cleanly_on_sigterm
from loadtest.bench.probes import wait_for_queue
from loadtest.bench.systems import Running, named
from loadtest.bench.texts import text
from loadtest.bench.trial import capacity, fresh, keep
from loadtest.bench.verdict import Bound, conclude
from loadtest.openloop import Background, Plan, Poisson, Row, Run, Stream
from loadtest.openloop.makers import DOCUMENTS, STORED
from loadtest.percentiles import percentile
from loadtest.variables import positive
from stack import StackError, until
from stack.http import ask
from stack.ports import HOST

TIMES = 10.0
SEARCHES = 10.0  # a second
ANSWER_SECONDS = 15.0
FULL_SECONDS = 30.0  # until the flood is refused for the first time
EMPTY_SECONDS = 15.0
SOON = 0.5  # seconds
ALONE, LANES, ONE_LANE = "alone", "lanes", "one lane"
HEADERS: Mapping[str, Mapping[str, str]] = {LANES: {}, ONE_LANE: {"X-Priority": "interactive"}}


@dataclass(frozen=True)
class Measured:
    """The searches and the calls to store of one phase."""

    name: str
    searches: Run
    flood: Sequence[Row] = field(default_factory=tuple)

    @property
    def figures(self) -> dict[str, float]:
        """Latencies in ms are of answered searches; shares are of all."""
        rows = self.searches.rows
        answered = [each.latency for each in rows if each.ok] or [inf]
        return {
            "p50 ms": percentile(answered, 50) * 1000,
            "p99 ms": percentile(answered, 99) * 1000,
            "in 0.5 s, %": 100 * sum(each.ok and each.latency <= SOON for each in rows) / len(rows),
            "failed, %": 100 * sum(not each.ok for each in rows) / len(rows),
            "documents/s": self._stored,
        }

    @property
    def _stored(self) -> float:
        begin = self.searches.begin
        end = max(each.scheduled for each in self.searches.rows)
        stored = sum(each.ok and each.done is not None and begin <= each.done <= end for each in self.flood)
        return stored * DOCUMENTS / (end - begin)

    def lines(self, number: int) -> Iterator[dict[str, object]]:
        """The raw rows, for a file."""
        for each in [*self.searches.rows, *self.flood]:
            yield {
                "round": number,
                "phase": self.name,
                "stream": each.stream,
                "at": each.scheduled - self.searches.begin,
                "lag": each.lag,
                "outcome": str(each.error or each.status),
                "ms": each.latency * 1000,
            }


def main() -> int:
    """Exit code 1 when a bound is missed."""
    seconds, rounds = positive("SECONDS", 30.0), positive("ROUNDS", 3)
    measured: list[list[Measured]] = []
    with fresh(named("api-miss")) as running, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        _store(running)
        for number in range(rounds):
            rate = TIMES * capacity(_worker(running)).texts_per_s / DOCUMENTS
            print(f"round {number + 1}: {rate:.0f} calls/s of {DOCUMENTS} documents", flush=True)
            phases = [ALONE, LANES, ONE_LANE]
            order = phases[number % 3 :] + phases[: number % 3]
            measured.append([_measure(name, running, rate, seconds, Path(folder)) for name in order])
    keep("flood", (line for number, each in enumerate(measured) for phase in each for line in phase.lines(number)))
    for name in (ALONE, LANES, ONE_LANE):
        print(_line(name, _medians(name, measured)), "medians")
    return conclude(bounds(measured))


def _worker(running: Running) -> int:
    return running.worker_port or 0


def _store(running: Running) -> None:
    """What searches find: the documents that the flood replaces."""
    for first in range(0, STORED, DOCUMENTS):
        stored = [{"id": f"bulk-{number}", "text": text(number)} for number in range(first, first + DOCUMENTS)]
        answer = ask(f"{_url(running)}/v1/documents", "POST", {"documents": stored}, ANSWER_SECONDS)
        if answer.status != 200:
            raise StackError(f"the documents could not be stored: {answer.body.decode()}")


def _measure(name: str, running: Running, rate: float, seconds: float, folder: Path) -> Measured:
    url = _url(running)
    with ExitStack() as ending:
        flood: Background | None = None
        if name in HEADERS:
            plan = Plan(
                Poisson(rate, seed=1), (Stream("documents", url),), timeout=ANSWER_SECONDS, headers=HEADERS[name]
            )
            flood = ending.enter_context(Background(plan, folder / "flood.jsonl"))
            refused = "the flood's first refusal"
            until(lambda: any(row.status == 503 for row in flood.rows()), FULL_SECONDS, refused, interval=0.5)
        plan = Plan(Poisson(SEARCHES, seed=2), (Stream("search", url),), seconds, timeout=ANSWER_SECONDS)
        with Background(plan, folder / "searches.jsonl") as searches:
            searches.wait()
    wait_for_queue(_worker(running), 0, EMPTY_SECONDS)
    found = Measured(name, searches.run, flood.rows() if flood else ())
    outcomes = dict(Counter(str(each.status or each.error) for each in found.flood))
    print(
        f"{name:<10}" + "".join(f"{key} {value:<10.4g}" for key, value in found.figures.items()), outcomes, flush=True
    )
    return found


def _url(running: Running) -> str:
    return f"http://{HOST}:{running.port}"


def _medians(name: str, measured: Sequence[Sequence[Measured]]) -> dict[str, float]:
    found = [phase.figures for phases in measured for phase in phases if phase.name == name]
    return {key: median(each[key] for each in found) for key in found[0]}


def _line(name: str, figures: Mapping[str, float]) -> str:
    return f"{name:<10}" + "".join(f"{key} {value:<10.4g}" for key, value in figures.items())


def bounds(measured: Sequence[Sequence[Measured]]) -> list[Bound]:
    """What the rounds must keep: medians, but for failures, of which no round may have any."""
    rounds = [{phase.name: phase.figures for phase in phases} for phases in measured]
    late = [phase.searches.verdict for phases in measured for phase in phases]
    soon = {name: median(each[name]["in 0.5 s, %"] for each in rounds) for name in (LANES, ONE_LANE)}
    return [
        Bound("lanes: searches that failed, %", max(each[LANES]["failed, %"] for each in rounds), "=", 0),
        Bound("lanes: searches within 0.5 s, %", soon[LANES], "≥", 99),
        Bound("one lane: searches within 0.5 s, %", soon[ONE_LANE], "≤", 50),
        Bound("documents/s, lanes / one lane", median(map(_kept, rounds)), "≥", 0.7),
        Bound("phases whose searches left late", sum(not each.valid for each in late), "=", 0),
    ]


def _kept(figures: Mapping[str, Mapping[str, float]]) -> float:
    """Documents stored with two lanes by those with one, in a round: the next one has another rate."""
    lanes, one = (figures[name]["documents/s"] for name in (LANES, ONE_LANE))
    return lanes / one if one else inf if lanes else 0.0


if __name__ == "__main__":
    end_cleanly_on_sigterm()
    sys.exit(main())
