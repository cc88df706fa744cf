"""Requests that were under way when a worker process died: one of them may be what killed it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PATIENCE = 2.0  # seconds that a suspect waits for its turn; a drill with 4 suspects of 100 ms each lost some after 0.5


class Suspects:
    """Retries suspects one at a time.

    If all were retried together, innocent ones would share a process with the guilty one again, and be lost with it:
    there is no third try.
    """

    def __init__(self) -> None:
        self._one = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, ends: float) -> AsyncIterator[None]:
        """No other suspect of this api process is under way inside, unless the earlier ones are slow.

        `ends` is when the request's time is over, in the event loop's time; half of what is left is for the retry.
        """
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(PATIENCE, (ends - now) / 2)):
                await self._one.acquire()
        except TimeoutError:
            yield
            return
        try:
            yield
        finally:
            self._one.release()
