"""Waiting for what restarts: calls that find it away wait together, for a limited time, and then fail at once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal

from api.metrics import WAITS
from warmstart.apart import apart
from warmstart.errors import DependencyUnavailable

PAUSE = 0.05  # seconds between two looks: by so much at most a call waits too long
LOOK = 1.0  # seconds that one look may take: as long as a health sample
MOST = 1000  # requests that wait in one process: with their connections they took 50 MiB


class Patience:
    """What calls know together of something that they need and that may be away.

    From when it was first missed, calls wait for `seconds` until `ask()` succeeds, which one task tries for all of
    them. After that they are refused at once, until somebody calls `back`: the health check, which goes on.
    """

    def __init__(self, name: str, seconds: float, ask: Callable[[], Awaitable[object]]) -> None:
        self.away: str | None = None  # why it can't be called, from when a call found out until it is back
        self._name = name
        self.seconds = seconds
        self._ask = ask
        self._since: float | None = None
        self._answers = False  # by the last news of it
        self._over: asyncio.Future[bool] | None = None  # of this absence: whether it came back in time
        self._looking: asyncio.Task[None] | None = None
        self._waiting = 0

    def missed(self, since: float | None = None) -> None:
        """Somebody found it away, maybe with a look that began earlier."""
        self._answers = False
        if self._since is None:
            self._since = asyncio.get_running_loop().time() if since is None else since

    def back(self) -> None:
        """Somebody has seen it answer."""
        self._answers = True
        self._since = self.away = None
        if self._over and not self._over.done():
            self._over.set_result(True)
        self._over = None

    def failed(self) -> None:
        """Somebody found it there, but unable to serve; waiting does not mend that."""
        self._answers = False

    @property
    def is_over(self) -> bool:
        """Whether there is no waiting for it: it has been away for too long, or was never missed."""
        return self._left() <= 0

    def check(self, why: str, waiting: int) -> None:
        """Raise DependencyUnavailable unless one more request may wait beside so many, or may find it back.

        The health sample knows `why` up to a second longer than a call that has been answered since.
        """
        if self._answers:
            return
        if self.is_over:
            raise self.refusal(why)
        if waiting >= MOST:
            raise self.refusal(f"{why}; {waiting} requests wait for it")

    async def wait(self, why: str) -> None:
        """Return when it is back. Raises DependencyUnavailable when it is not, or when there is no waiting for it."""
        self.missed()
        self.check(why, self._waiting)
        if self._over is None:
            self.away = why
            self._over = asyncio.get_running_loop().create_future()
            self._looking = apart(self._look_for_it(self._over), f"look for {self._name}")
        self._waiting += 1
        try:
            back = await asyncio.shield(self._over)
        finally:
            self._waiting -= 1
        if not back:
            raise self.refusal(why, "in vain")
        WAITS.labels(self._name, "served").inc()

    async def close(self) -> None:
        """Look for it no more."""
        if self._looking:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    def _left(self) -> float:
        if self._since is None:  # nobody has missed it in a way that waiting mends
            return 0
        return self._since + self.seconds - asyncio.get_running_loop().time()

    def refusal(self, why: str, result: Literal["refused", "in vain"] = "refused") -> DependencyUnavailable:
        """What a call is told that waits no more; it is counted."""
        WAITS.labels(self._name, result).inc()
        return DependencyUnavailable(self._name, why)

    async def _look_for_it(self, over: asyncio.Future[bool]) -> None:
        try:
            while not over.done() and (left := self._left()) > 0:
                await asyncio.sleep(min(PAUSE, left))
                with suppress(DependencyUnavailable, TimeoutError):
                    async with asyncio.timeout(min(LOOK, left)):
                        await self._ask()
                        self.back()
        finally:
            if not over.done():
                over.set_result(False)
