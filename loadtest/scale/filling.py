"""Stores documents through the api, in slices; after each, the worker's own limit is measured.

Both are measured in turns, since a machine's speed changes from one minute to the next: four clients with 32 texts
each, of the api, and then of the worker itself.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil

import uvloop

from loadtest.bench.closed_loop import closed_loop
from loadtest.bench.dialects import WORKER
from loadtest.bench.texts import batches, block
from loadtest.closed_loop import ClosedLoop, Sent
from loadtest.scale.corpus import store

CLIENTS, TEXTS = 4, 32
SLICES = 4  # of a step, at least
LARGEST = 25_000  # documents of a slice
WARM = 0.75  # seconds of load that don't count


@dataclass(frozen=True)
class Slice:
    """Documents up to number `last` are stored; `errors` has what the api answered instead of 200, by status."""

    last: int
    documents_per_s: float
    limit_per_s: float
    errors: dict[str, int] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """The api's speed by the worker's."""
        return self.documents_per_s / self.limit_per_s if self.limit_per_s else 0.0


def fill(api: int, worker: int, first: int, last: int, *, seconds: float, until: float) -> Iterator[Slice]:
    """Store documents `first` to `last`, without the last; the worker's limit is measured for `seconds` each time.

    Args:
        api: its port.
        worker: its port.
        first: number of a document.
        last: number of a document.
        seconds: of a measurement of the limit.
        until: monotonic time after which no further document is sent.
    """
    size = min(LARGEST, ceil((last - first) / SLICES / TEXTS) * TEXTS)
    for number, begin in enumerate(range(first, last, size)):
        slice_ = _Slice(api, range(begin, min(begin + size, last)), until)
        speed = slice_.run()
        limit = closed_loop(
            worker, WORKER, batches(block(number), TEXTS), CLIENTS, seconds=seconds, warm=min(WARM, seconds)
        )
        yield Slice(begin + slice_.stored, speed, limit.texts_per_s, dict(slice_.errors + limit.errors))
        if time.monotonic() >= until:
            return


class _Slice:
    """What was refused is sent again, so that all documents are there in the end."""

    def __init__(self, port: int, numbers: range, until: float) -> None:
        self.stored = 0
        self.errors: Counter[str] = Counter()
        self._port, self._until = port, until
        self._left = deque(numbers[place : place + TEXTS] for place in range(0, len(numbers), TEXTS))

    def run(self) -> float:
        """Documents stored in a second."""
        began = time.monotonic()
        while self._left and (left := self._until - time.monotonic()) > 0:
            self._loop = ClosedLoop(self._port, self._requests(), self._note, CLIENTS)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._loop.run(left))
        return self.stored / (time.monotonic() - began)

    def _requests(self) -> Iterator[tuple[range, bytes]]:
        while True:
            numbers = self._left.popleft()
            if not self._left:
                self._loop.stop()
            yield numbers, store(numbers).wire()

    def _note(self, sent: Sent[range]) -> None:
        if sent.outcome == 200:
            self.stored += len(sent.what)
        else:
            self.errors[str(sent.outcome)] += 1
            self._left.append(sent.what)
