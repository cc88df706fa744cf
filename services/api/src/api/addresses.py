"""Where a name leads: kept for as long as it serves, looked up anew after a failure."""

import socket
from collections import deque
from typing import TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from api.singleflight import SingleFlight

Name: TypeAlias = tuple[str, int, socket.AddressFamily]
Addresses: TypeAlias = deque[ResolveResult]


class KeptAddresses(AbstractResolver):
    """A resolver for connectors without a cache of their own.

    aiohttp's own cache can't be cleared under load: whoever waits for a look-up then finds the cache empty, and fails
    with KeyError (3.14). A drill on a slow machine met it: a killed worker process took several calls along.
    """

    def __init__(self) -> None:
        self._resolver = DefaultResolver()
        self._known: dict[Name, Addresses] = {}
        self._flights = SingleFlight[Name, Addresses]()

    def forget(self) -> None:
        """Look names up anew from now on; a look-up that is under way is new enough."""
        self._known.clear()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses, another one first each time. Raises OSError; then the next caller tries again."""
        name = (host, port, family)
        addresses = self._known.get(name) or (await self._flights.run([name], self._look_up))[name]
        addresses.rotate(-1)
        return list(addresses)

    async def close(self) -> None:
        """Nothing is looked up any more."""
        await self._resolver.close()

    async def _look_up(self, names: list[Name]) -> dict[Name, Addresses]:
        [name] = names
        self._known[name] = found = deque(await self._resolver.resolve(*name))
        return {name: found}
