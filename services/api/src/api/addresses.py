"""Where a name leads: kept for as long as it serves, looked up anew after a failure."""

import asyncio
import socket
from collections import deque
from typing import TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

Name: TypeAlias = tuple[str, int, socket.AddressFamily]
LookUp: TypeAlias = asyncio.Task[deque[ResolveResult]]


class KeptAddresses(AbstractResolver):
    """A resolver for connectors without a cache of their own.

    aiohttp's own cache can't be cleared under load: whoever waits for a look-up then finds the cache empty, and fails
    with KeyError (3.14). A drill on a slow machine met it: a killed worker process took several calls along.
    """

    def __init__(self) -> None:
        self._resolver = DefaultResolver()
        self._lookups: dict[Name, LookUp] = {}

    def forget(self) -> None:
        """Look names up anew from now on; a look-up that is under way is new enough."""
        self._lookups = {name: lookup for name, lookup in self._lookups.items() if not lookup.done()}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses, another one first each time. Raises OSError; then the next caller tries again."""
        name = (host, port, family)
        lookup = self._lookups.get(name) or self._begin(name)
        # A caller that leaves does not take it along: others may be waiting.
        addresses = await asyncio.shield(lookup)
        addresses.rotate(-1)
        return list(addresses)

    async def close(self) -> None:
        """Nothing is looked up any more."""
        for lookup in self._lookups.values():
            lookup.cancel()
        await self._resolver.close()

    def _begin(self, name: Name) -> LookUp:
        async def look_up() -> deque[ResolveResult]:
            return deque(await self._resolver.resolve(*name))

        def end(lookup: LookUp) -> None:
            failed = lookup.cancelled() or lookup.exception()
            if failed and self._lookups.get(name) is lookup:
                del self._lookups[name]

        lookup = self._lookups[name] = asyncio.create_task(look_up())
        lookup.add_done_callback(end)
        return lookup
