"""Where a name leads: looked up again while it serves, so that replicas come and go, but nobody waits for that."""

import asyncio
import random
import socket
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

Name: TypeAlias = tuple[str, int, socket.AddressFamily]

FRESH = 2.0  # seconds for which addresses are new enough
PATIENCE = 0.5  # seconds that a connection waits for a look-up where there are addresses, but a call to one has failed
AVOIDED = 1.0  # seconds for which an address that did not serve comes last


@dataclass
class Known:
    """What the last good look-up of a name gave; times are the event loop's."""

    addresses: list[ResolveResult]
    fresh_until: float
    doubted: bool = False


class KeptAddresses(AbstractResolver):
    """A resolver for connectors without a cache of their own.

    Old addresses are used on while new ones are looked up, and kept when that fails: a drill met an engine's name
    server that failed for 2 s.

    aiohttp's own cache can't be cleared under load: whoever waits for a look-up then finds the cache empty, and fails
    with KeyError (3.14). A drill on a slow machine met it: a killed worker process took several calls along.
    """

    def __init__(self) -> None:
        self._resolver = DefaultResolver()
        self._known: dict[Name, Known] = {}
        self._looking: dict[Name, asyncio.Task[None]] = {}
        self._avoided: dict[str, float] = {}
        self._turn = count(random.randrange(100))  # noqa: S311 - several clients don't all begin with the first

    @property
    def number(self) -> int:
        """How many addresses are known; 1 where nothing had to be looked up."""
        return max((len(known.addresses) for known in self._known.values()), default=1)

    def forget(self) -> None:
        """Look names up anew from now on; a look-up that is under way is new enough."""
        for known in self._known.values():
            known.doubted = True

    def avoid(self, address: str) -> None:
        """Somebody is there, but can't serve now: it starts, or its model is broken. Others come first for a while."""
        now = asyncio.get_running_loop().time()
        self._avoided = {each: until for each, until in self._avoided.items() if until > now}
        self._avoided[address] = now + AVOIDED

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses, another one first each time. Raises OSError while none is known."""
        name = (host, port, family)
        known = self._known.get(name)
        if known is None:
            await asyncio.shield(self._look_up(name))  # others may wait for it, too
        elif known.doubted:
            await asyncio.wait({self._look_up(name)}, timeout=PATIENCE)
            known.doubted = False
        elif known.fresh_until < asyncio.get_running_loop().time():
            _ = self._look_up(name)
        return self._in_turn(self._known[name].addresses)

    async def close(self) -> None:
        """Nothing is looked up any more."""
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
            task.exception()  # marked as seen: nobody may have waited for it
