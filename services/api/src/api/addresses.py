"""Resolves the worker's name again and again while the api serves, without delaying a call."""

import asyncio
import random
import socket
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

Name: TypeAlias = tuple[str, int, socket.AddressFamily]

FRESH = 2.0  # seconds until addresses are looked up again
PATIENCE = 0.5  # seconds to wait for a look-up after a call to a known address failed
AVOIDED = 1.0  # seconds for which an address that refused is tried last


@dataclass
class Known:
    """The result of the last good look-up of a name; times are the event loop's."""

    addresses: list[ResolveResult]
    fresh_until: float
    doubted: bool = False


class KeptAddresses(AbstractResolver):
    """A resolver for connectors without a cache of their own.

    Old addresses are used while new ones are looked up, and kept when the look-up fails: in a drill an engine's name
    server failed for 2 s. aiohttp's own cache can't be cleared under load: a call that waits for a look-up then finds
    the cache empty, and fails with KeyError (3.14). In a drill on a slow machine a killed worker process thereby failed
    several calls.
    """

    def __init__(self) -> None:
        self._resolver = DefaultResolver()
        self._known: dict[Name, Known] = {}
        self._looking: dict[Name, asyncio.Task[None]] = {}
        self._avoided: dict[str, float] = {}
        self._turn = count(random.randrange(100))  # noqa: S311 - several clients don't all begin with the first

    @property
    def number(self) -> int:
        """The number of known addresses; 1 where no look-up was needed."""
        return max((len(known.addresses) for known in self._known.values()), default=1)

    def forget(self) -> None:
        """Look names up again from now on; a look-up that is under way is recent enough."""
        for known in self._known.values():
            known.doubted = True

    def avoid(self, address: str) -> None:
        """Try an address last for a while: its worker can't serve now, as it starts or its model is broken."""
        now = asyncio.get_running_loop().time()
        self._avoided = {each: until for each, until in self._avoided.items() if until > now}
        self._avoided[address] = now + AVOIDED

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses, in another order each time. Raises OSError while none is known."""
        name = (host, port, family)
        known = self._known.get(name)
        if known is None:
            await asyncio.shield(self._look_up(name))  # other calls may wait for it, too
        elif known.doubted:
            await asyncio.wait({self._look_up(name)}, timeout=PATIENCE)
            known.doubted = False
        elif known.fresh_until < asyncio.get_running_loop().time():
            _ = self._look_up(name)
        return self._in_turn(self._known[name].addresses)

    async def close(self) -> None:
        """Cancel all look-ups."""
        for task in self._looking.values():
            task.cancel()
        await self._resolver.close()

    def _in_turn(self, addresses: list[ResolveResult]) -> list[ResolveResult]:
        now = asyncio.get_running_loop().time()
        serving = [each for each in addresses if self._avoided.get(each["host"], 0) <= now]
        first = next(self._turn) % max(1, len(serving))
        return serving[first:] + serving[:first] + [each for each in addresses if each not in serving]

    def _look_up(self, name: Name) -> asyncio.Task[None]:
        """The look-up that is under way, or a new one."""
        if name not in self._looking:
            self._looking[name] = asyncio.create_task(self._learn(name), name=f"look up {name[0]}")
            self._looking[name].add_done_callback(lambda task: self._looked_up(name, task))
        return self._looking[name]

    async def _learn(self, name: Name) -> None:
        found = await self._resolver.resolve(*name)
        self._known[name] = Known(found, asyncio.get_running_loop().time() + FRESH)

    def _looked_up(self, name: Name, task: asyncio.Task[None]) -> None:
        del self._looking[name]
        if not task.cancelled():
            task.exception()  # marks the exception as retrieved: perhaps no call waits for it
