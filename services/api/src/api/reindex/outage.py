"""Waiting for a dependency that is away: the job says once that it is, and once that it is back."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from api.reindex.output import Output
from warmstart.errors import DependencyUnavailable

T = TypeVar("T")

FIRST, LONGEST = 0.1, 5.0  # seconds between two attempts


class Outage:
    """What all tasks of the job know of one dependency."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._since: float | None = None

    async def outlast(self, work: Callable[[], Awaitable[T]], patience: float | None = None) -> T:
        """Do `work`, again and again while it raises DependencyUnavailable: for `patience` seconds, or for ever.

        Raises the last attempt's DependencyUnavailable after that.
        """
        pause = FIRST
        ends = None if patience is None else time.monotonic() + patience
        while True:
            try:
                done = await work()
            except DependencyUnavailable as error:
                if ends is not None and time.monotonic() + pause > ends:
                    raise
                self.begins(error.message)
            else:
                self.is_over()
                return done
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST)

    def begins(self, why: str) -> None:
        """Say why the job waits, unless that has been said."""
        if self._since is None:
            self._since = time.monotonic()
            self._output.line(f"{why}; waiting")

    def is_over(self) -> None:
        """Say that it has ended, if it was told that it began."""
        if self._since is not None:
            self._output.line(f"it is there, after {time.monotonic() - self._since:.1f} s")
            self._since = None
