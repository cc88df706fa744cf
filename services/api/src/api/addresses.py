"""Looks the worker's name up again and again while the api serves, without delaying a call."""

import asyncio
import socket

from aiohttp.resolver import DefaultResolver

from warmstart.apart import apart

FRESH = 2.0  # seconds until addresses are looked up again
PATIENCE = 0.5  # seconds to wait for a look-up after a call to a known address failed, unless the last wait was in vain


class KeptAddresses:
    """The addresses behind one name.

    Old addresses are used while new ones are looked up, and kept when the look-up fails: in a drill an engine's name
    server failed for 2 s.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._resolver = DefaultResolver()
        self._known: list[str] = []
        self._fresh_until = 0.0  # the event loop's time
        self._doubted = False
        self._prompt = True  # whether the name server has answered since a call waited for it in vain
        self._looking: asyncio.Task[None] | None = None

    def forget(self) -> None:
        """Look the name up again from now on; a look-up that is under way is recent enough."""
        self._doubted = bool(self._known)

    async def get(self) -> list[str]:
        """The addresses, at least one. Raises OSError while none is known."""
        if not self._known:
            await asyncio.shield(self._look_up())  # other calls may wait for it, too
        elif self._doubted:
            looking = self._look_up()
            if self._prompt:
                answered, _ = await asyncio.wait({looking}, timeout=PATIENCE)
                self._prompt = bool(answered)
            self._doubted = False
        elif self._fresh_until < asyncio.get_running_loop().time():
            _ = self._look_up()
        return self._known

    async def close(self) -> None:
        """Cancel the look-up that is under way."""
        if self._looking:
            self._looking.cancel()
        await self._resolver.close()

    def _look_up(self) -> asyncio.Task[None]:
        """The look-up that is under way, or a new one."""
        if self._looking is None:
            self._looking = apart(self._learn(), f"look up {self._host}")
            self._looking.add_done_callback(self._looked_up)
        return self._looking

    async def _learn(self) -> None:
        found = await self._resolver.resolve(self._host, self._port, socket.AF_UNSPEC)
        self._prompt = True
        self._known = list(dict.fromkeys(each["host"] for each in found))
        self._fresh_until = asyncio.get_running_loop().time() + FRESH

    def _looked_up(self, task: asyncio.Task[None]) -> None:
        self._looking = None
        if not task.cancelled():
            task.exception()  # marks the exception as retrieved: perhaps no call waits for it
