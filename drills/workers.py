"""How many calls each replica of the worker answers, counted while a drill runs."""

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Self

from loadtest.openloop import Row
from stack.http import ask
from stack.operator_key import operator_headers
from stack.prober import Look, Prober

METRICS, STARTUP = "/metrics", "/startupz"
SERVED = re.compile(rb'http_server_request_duration_seconds_count\{[^}]*http_route="/embeddings/"[^}]*\} (\d+)')
PERIOD = 0.5  # seconds between two looks at a replica
WINDOWS = (0.0, 5.0, 15.0, 60.0)  # seconds after a change


def calls(metrics: bytes) -> int:
    """The calls that a worker has answered since its start."""
    return sum(map(int, SERVED.findall(metrics)))


def served(replicas: Iterable[str]) -> list[int]:
    """The calls of each of them until now."""
    return [calls(ask(f"{url}{METRICS}", timeout=5, more=operator_headers()).body) for url in replicas]


class Counted(Prober):
    """One replica. `counts`: the time of each look, and the calls by then; `phases`: all that it was seen in."""

    def __init__(self, url: str) -> None:
        super().__init__(url, (METRICS, STARTUP), PERIOD, more=operator_headers())
        self.url = url
        self.counts: list[tuple[float, int]] = []
        self.phases: set[str] = set()

    def note(self, path: str, look: Look, body: bytes) -> None:
        """See `Prober.note`."""
        super().note(path, look, body)
        if path == METRICS and look.value == "200":
            self.counts.append((look.ended, calls(body)))
        if path == STARTUP:
            with suppress(ValueError, KeyError):
                self.phases |= {str(each["phase"]) for each in json.loads(body)["processes"]}

    def until(self, moment: float) -> int:
        """Its calls by then; by its first look, if that was later."""
        known = [count for at, count in self.counts if at <= moment]
        return known[-1] if known else next((count for _, count in self.counts), 0)


class Tally:
    """Counts the calls of replicas inside the block; `workers` are in the order in which they joined.

    At its end, `workers.jsonl` in the folder has a line for each count: `worker`, a number from 1; `at`, monotonic
    seconds; `calls`.
    """

    def __init__(self, folder: Path, replicas: Iterable[str]) -> None:
        self.workers: list[Counted] = []
        self._path = folder / "workers.jsonl"
        self._first = list(replicas)

    def __enter__(self) -> Self:
        self.join(self._first)
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.workers:
            each.stop()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = (
            json.dumps({"worker": number, "at": at, "calls": count})
            for number, each in enumerate(self.workers, start=1)
            for at, count in each.counts
        )
        self._path.write_text("".join(f"{line}\n" for line in lines))

    def join(self, replicas: Iterable[str]) -> None:
        """Count these, too."""
        for url in replicas:
            if url not in [each.url for each in self.workers]:
                self.workers.append(Counted(url))
                self.workers[-1].start()

    def between(self, begin: float, end: float) -> list[int]:
        """The calls that each replica has answered between two moments of monotonic time."""
        return [each.until(end) - each.until(begin) for each in self.workers]

    def windows(self, since: float, rows: Sequence[Row]) -> dict[str, str]:
        """For the report: the calls of each replica, and the requests lost, in the first seconds after a change."""
        last = max((row.scheduled for row in rows), default=since) - since
        found = {}
        for begin, end in pairwise(WINDOWS):
            if sent := [row for row in rows if begin <= row.scheduled - since < end]:
                counts = ", ".join(map(str, self.between(since + begin, since + end)))
                lost = sum(not row.ok for row in sent)
                found[f"calls_of_each_{begin:g}_to_{min(end, last):.0f}_s"] = (
                    f"{counts}; of {len(sent)} requests {lost} lost"
                )
        return found
