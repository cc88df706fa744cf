"""Health of one opened resource, sampled in the background and cached."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


class HealthSampler:
    """Runs `check(value)` at most once at a time; a hung check is abandoned, never waited for.

    Cancelling a query on a hung Postgres can itself hang (asyncpg issue 1326), so no `wait_for` here.
    """

    def __init__(self, check: Callable[[Any], Awaitable[None]], value: object, limit: float) -> None:
        self._check = check
        self._value = value
        self._limit = limit
        self._running: asyncio.Task[None] | None = None

    async def sample(self, closing: asyncio.Task[Any]) -> str | None:
        """The reason why the resource is unhealthy, or None; within `limit` seconds, or when `closing` is done."""
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        both = {self._running, closing}
        await asyncio.wait(both, timeout=self._limit, return_when=asyncio.FIRST_COMPLETED)
        if not self._running.done():
            self._running.cancel()
            return f"no answer within {self._limit:g} s"
        finished, self._running = self._running, None
        if finished.cancelled():
            return "the check was cut"
        error = finished.exception()
        return reason(error) if error else None

    async def _run(self) -> None:
        await self._check(self._value)


def reason(error: BaseException) -> str:
    """One line for people: the error's first line, or its type when it has no text."""
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
