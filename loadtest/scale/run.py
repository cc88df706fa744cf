"""One run: a stack of its own, filled step by step, and measured at each size."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from statistics import median
from typing import Any, TypeAlias

from loadtest.scale.database import connected, memory
from loadtest.scale.filling import fill
from loadtest.scale.plan import Plan, Progress
from loadtest.scale.recall import COMPARED, Comparison
from loadtest.scale.searching import Measured, Searches
from stack import EmbeddedStack

Row: TypeAlias = dict[str, Any]


class TooSlow(RuntimeError):
    """The time of the run is over."""


class Run:
    """Yields rows as they are measured: `what` is `slice`, `searches`, `recall` or `size`."""

    def __init__(self, stack: EmbeddedStack, plan: Plan, progress: Progress) -> None:
        self._stack, self._plan, self._progress = stack, plan, progress
        self._api, self._worker = stack.site.ports["api"], stack.site.ports["worker"]
        self._searches = Searches(self._api)

    def rows(self) -> Iterator[Row]:
        """Those of all sizes. Raises TooSlow."""
        before = 0
        for size in self._plan.sizes:
            for row in chain(self._fill(before, size), self._measure(size)):
                yield {"documents": size, **row}
            before = size

    def _fill(self, first: int, size: int) -> Iterator[Row]:
        last = first
        until = self._progress.until
        for each in fill(self._api, self._worker, first, size, seconds=self._plan.seconds, until=until):
            last = each.last
            speeds = f"{each.documents_per_s:.0f} documents/s, the worker alone {each.limit_per_s:.0f} texts/s"
            said = f"{speeds}: {each.ratio:.2f}"
            self._progress.say(f"{last:>9,} documents  {said}{_wrong(each.errors)}")
            yield {"what": "slice", **asdict(each), "ratio": each.ratio}
        if last < size:
            raise TooSlow(
                f"only {last:,} of {size:,} documents were stored in {self._progress.expected:.0f} s twice over"
            )

    def _measure(self, size: int) -> Iterator[Row]:
        yield {"what": "size", **asyncio.run(self._sizes())}
        for each in self._searches.measure(size, self._plan.rounds, self._plan.seconds):
            self._progress.say(f"{size:>9,} documents  {_line(each)}")
            yield {"what": "searches", **asdict(each)}
        yield {"what": "recall", **asyncio.run(self._recall(size))}
        yield {"what": "size", **asyncio.run(self._sizes())}

    async def _sizes(self) -> Row:
        async with connected(self._stack.url("postgres")) as database:
            return {**await database.sizes(), **memory(self._stack.pids("postgres")), **await database.settings()}

    async def _recall(self, size: int) -> Row:
        async with connected(self._stack.url("postgres")) as database:
            compare = Comparison(self._api, database, self._plan.queries, self._plan.recall_seconds)
            found = {name: await compare.recall(name, size) for name in COMPARED}
        said = ", ".join(f"{name} {recall:.4f} ({queries} queries)" for name, (recall, queries) in found.items())
        self._progress.say(f"{size:>9,} documents  recall@10: {said}")
        return {
            "recall": {name: recall for name, (recall, _) in found.items()},
            "queries": {name: queries for name, (_, queries) in found.items()},
        }


def _line(each: Measured) -> str:
    p50 = f"p50 {median(each.ms):6.1f} ms" if each.ms else "no answer"
    database = f", Postgres {median(each.database_ms):5.1f} ms" if each.database_ms else ""
    return f"{each.clients:2} clients  {each.kind:16}{p50}{database}, {each.per_s:6.1f}/s{_wrong(each.errors)}"


def _wrong(errors: dict[str, int]) -> str:
    return f"  ERRORS {errors}" if errors else ""
