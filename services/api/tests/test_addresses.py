"""Names are looked up once, kept, and looked up again when somebody says so."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.abc import ResolveResult
from aiohttp.resolver import DefaultResolver

from api.addresses import KeptAddresses

pytestmark = pytest.mark.anyio

HOSTS = ("10.0.0.1", "10.0.0.2")


class NameServer:
    """Answers with `HOSTS` while its gate is open, or with `error`."""

    def __init__(self) -> None:
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: OSError | None = None

    async def resolve(self, _: Any, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        """One look-up."""
        self.asked += 1
        await self.gate.wait()
        if self.error:
            raise self.error
        return [ResolveResult(hostname=host, host=each, port=port, family=family, proto=0, flags=0) for each in HOSTS]


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> NameServer:
    """What every resolver asks."""
    made = NameServer()

    async def resolve(*arguments: Any, **options: Any) -> list[ResolveResult]:
        return await made.resolve(*arguments, **options)

    monkeypatch.setattr(DefaultResolver, "resolve", resolve)
    return made


@pytest.fixture
async def addresses(server: NameServer) -> AsyncIterator[KeptAddresses]:
    """Nothing known yet."""
    assert not server.asked
    made = KeptAddresses()
    yield made
    await made.close()


async def first(addresses: KeptAddresses) -> str:
    """The address that a connection would try first."""
    return (await addresses.resolve("worker"))[0]["host"]


async def test_one_lookup_serves_all_in_turns(server: NameServer, addresses: KeptAddresses) -> None:
    """Connections spread over the addresses that one question found."""
    assert sorted(await asyncio.gather(*(first(addresses) for _ in range(10)))) == sorted(HOSTS * 5)
    assert server.asked == 1


async def test_forgetting_harms_nobody_who_waits(server: NameServer, addresses: KeptAddresses) -> None:
    """Whenever others forget: before, at or after the answer, those who wait get it, and new ones a new one."""
    server.gate.clear()
    waiting = [asyncio.create_task(first(addresses)) for _ in range(3)]
    while not server.asked:
        await asyncio.sleep(0)
    addresses.forget()
    server.gate.set()
    while not all(each.done() for each in waiting):
        addresses.forget()
        await asyncio.sleep(0)
    assert {each.result() for each in waiting} == set(HOSTS)
    assert server.asked == 1
    await first(addresses)
    assert server.asked == 2


async def test_a_failed_lookup_is_not_kept(server: NameServer, addresses: KeptAddresses) -> None:
    """Its error reaches all who wait; the next one asks again."""
    server.error = OSError("no name server")
    failed = await asyncio.gather(*(first(addresses) for _ in range(3)), return_exceptions=True)
    assert [str(each) for each in failed] == ["no name server"] * 3
    assert server.asked == 1
    server.error = None
    assert await first(addresses) in HOSTS


async def test_a_failure_and_forgetting_may_meet(
    server: NameServer, addresses: KeptAddresses, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever forgets just after a look-up failed takes away nothing that the failure would miss."""
    server.error = OSError("no name server")
    waiting = asyncio.create_task(first(addresses))
    while not waiting.done():
        addresses.forget()
        await asyncio.sleep(0)
    assert str(waiting.exception()) == "no name server"
    assert not caplog.records  # an exception in a callback would be logged


async def test_a_caller_that_leaves_takes_no_lookup_along(server: NameServer, addresses: KeptAddresses) -> None:
    """Another one that waits for the same answer gets it."""
    server.gate.clear()
    leaving, staying = (asyncio.create_task(first(addresses)) for _ in range(2))
    while not server.asked:
        await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait({leaving})
    server.gate.set()
    assert await staying in HOSTS
