"""Concurrent calls for the same keys do the work once."""

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

K = TypeVar("K")
V = TypeVar("V")
IsPrivate: TypeAlias = Callable[[BaseException, Sequence[K], int], bool]


@dataclass(eq=False)
class Flight(Generic[K, V]):
    """Work under way for some keys, the number of calls that wait for it, and when the last of them waits no more."""

    keys: list[K]
    until: float  # of the event loop's clock
    waiters: int = 0
    task: asyncio.Task[Mapping[K, V]] = field(init=False)


Work: TypeAlias = Callable[[Flight[K, V]], Coroutine[Any, Any, Mapping[K, V]]]


class SingleFlight(Generic[K, V]):
    """Joins calls by key.

    The work belongs to no single caller: it goes on while any call waits, and is cancelled when the last one has left.
    `is_private(error, keys, before)` says whether an error concerns only the call whose work raised it (its bad input,
    its spent time budget), and not one that asked for these `keys`, which then looks for work under way, or does it,
    once more; `before` is how often it has done so. Every other error reaches all calls that wait.
    """

    def __init__(self, is_private: IsPrivate[K] = lambda *_: False) -> None:
        self._is_private = is_private
        self._flights: dict[K, Flight[K, V]] = {}
        self.waiting = 0  # calls

    def __contains__(self, key: K) -> bool:
        """Whether work for `key` is under way."""
        return key in self._flights

    async def run(self, keys: Iterable[K], work: Work[K, V], until: float = math.inf) -> dict[K, V]:
        """The value of each key; `work` gets a flight of the keys without work under way, and returns their values.

        `until` is when this call waits no more. Calls that fail together begin the next work together: before that
        work's first step, its flight knows how long the most patient of them waits.
        """
        asked, values, before = list(dict.fromkeys(keys)), dict[K, V](), 0
        pending = asked
        while pending:
            own = self._start([key for key in pending if key not in self._flights], work, until)
            flights = {key: self._flights[key] for key in pending}
            await self._wait(set(flights.values()), until)
            pending = []
            for key, flight in flights.items():
                error = flight.task.exception()
                if error is None:
                    values[key] = flight.task.result()[key]
                elif flight is not own and self._is_private(error, asked, before):
                    pending.append(key)
                else:
                    raise error
            before += 1
        return values

    def _start(self, keys: list[K], work: Work[K, V], until: float) -> Flight[K, V] | None:
        if not keys:
            return None

        flight = Flight[K, V](keys, until)
        flight.task = asyncio.create_task(work(flight))
        self._flights.update(dict.fromkeys(keys, flight))
        flight.task.add_done_callback(lambda _: self._forget(flight))
        return flight

    async def _wait(self, flights: set[Flight[K, V]], until: float) -> None:
        self.waiting += 1
        for flight in flights:
            flight.waiters += 1
            flight.until = max(flight.until, until)
        try:
            await asyncio.wait({flight.task for flight in flights})
        finally:
            self.waiting -= 1
            for flight in flights:
                flight.waiters -= 1
                if not flight.waiters and not flight.task.done():
                    # Removed at once: a new call must not join work that is being cancelled.
                    self._forget(flight)
                    flight.task.cancel()

    def _forget(self, flight: Flight[K, V]) -> None:
        if flight.task.done() and not flight.task.cancelled():
            flight.task.exception()  # marks the exception as retrieved: all waiting calls may have left just now
        for key in flight.keys:
            if self._flights.get(key) is flight:
                del self._flights[key]
