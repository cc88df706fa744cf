"""Stand-ins for several workers behind one name."""

from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp.abc import ResolveResult
from aiohttp.resolver import DefaultResolver

from api import addresses
from api import replicas as module
from services.api.tests.helpers.standin import StandIn, refuse
from stack import free_ports

RECENT = 300  # calls
COLD = refuse(503, code="not_ready", message="the service is warming")


class Replicas:
    """Stand-ins on 127.0.0.2, 127.0.0.3, …: all on one port, and known to the name server as `worker`."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.port = free_ports()["worker"]
        self.hosts: list[str] = []
        self.standins: list[StandIn] = []
        self.served: deque[str] = deque(maxlen=RECENT)
        self._stack = stack
        self._running: list[AsyncExitStack] = []

    async def add(self, *, cold: bool = False) -> StandIn:
        """One more, listed from now on."""
        host, standin = f"127.0.0.{len(self.standins) + 2}", StandIn()
        standin.fingerprint = host
        standin.keeps = False
        standin.before = COLD if cold else None
        self._running.append(await self._stack.enter_async_context(AsyncExitStack()))
        await self._running[-1].enter_async_context(standin.running(self.port, host))
        self.standins.append(standin)
        self.hosts.append(host)
        return standin

    async def stop(self, number: int) -> None:
        """It listens no more, and is listed all the same."""
        await self._running[number].aclose()

    def shared(self, among: int) -> bool:
        """Whether so many have given their share of the last answers, none of them a quarter more or less."""
        recent, fair = Counter(self.served), RECENT / among
        return len(recent) == among and all(0.75 * fair < each < 1.25 * fair for each in recent.values())


@asynccontextmanager
async def named(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Replicas]:
    """None yet; the name is looked up, and who is avoided is tried again, after a tenth of a second."""
    monkeypatch.setattr(addresses, "FRESH", 0.1)
    for name, seconds in {"AVOIDED": 0.1, "LONGEST": 0.2, "SILENT": 0.2, "PERIOD": 0.05}.items():
        monkeypatch.setattr(module, name, seconds)
    async with AsyncExitStack() as stack:
        made = Replicas(stack)

        async def resolve(_: Any, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
            return [
                ResolveResult(hostname=host, host=ip, port=port, family=family, proto=0, flags=0) for ip in made.hosts
            ]

        monkeypatch.setattr(DefaultResolver, "resolve", resolve)
        yield made
