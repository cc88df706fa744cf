"""Names are looked up again while their addresses serve, or on request; a call with a known address doesn't wait."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.abc import ResolveResult
from aiohttp.resolver import DefaultResolver

from api import addresses as module
from api.addresses import KeptAddresses
from stack import until_async

pytestmark = pytest.mark.anyio

HOSTS = ["10.0.0.1", "10.0.0.2"]


class NameServer:
    """Answers with `hosts` while its gate is open, or with `error`."""

    def __init__(self) -> None:
        self.asked = 0
        self.hosts = HOSTS
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: OSError | None = None

    async def resolve(self, _: Any, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        """One look-up."""
        self.asked += 1
        await self.gate.wait()
        if self.error:
            raise self.error
        return [
            ResolveResult(hostname=host, host=each, port=port, family=family, proto=0, flags=0) for each in self.hosts
        ]


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
    made = KeptAddresses("worker", 8001)
    yield made
    await made.close()


async def test_one_lookup_serves_all(server: NameServer, addresses: KeptAddresses) -> None:
    """All who ask while a name server is asked get the addresses that one question found."""
    assert await asyncio.gather(*(addresses.get() for _ in range(10))) == [HOSTS] * 10
    assert server.asked == 1


async def test_forgetting_harms_nobody_who_waits(server: NameServer, addresses: KeptAddresses) -> None:
    """When addresses are forgotten before, at or after an answer, waiting calls get it, and new calls a new one."""
    server.gate.clear()
    waiting = [asyncio.create_task(addresses.get()) for _ in range(3)]
    while not server.asked:
        await asyncio.sleep(0)
    addresses.forget()
    server.gate.set()
    while not all(each.done() for each in waiting):
        addresses.forget()
        await asyncio.sleep(0)
    assert [each.result() for each in waiting] == [HOSTS] * 3
    assert server.asked == 1
    await addresses.get()
    assert server.asked == 2


async def test_a_failed_lookup_is_not_kept(server: NameServer, addresses: KeptAddresses) -> None:
    """The error reaches all calls that wait; the next call looks up again."""
    server.error = OSError("no name server")
    failed = await asyncio.gather(*(addresses.get() for _ in range(3)), return_exceptions=True)
    assert [str(each) for each in failed] == ["no name server"] * 3
    assert server.asked == 1
    server.error = None
    assert await addresses.get() == HOSTS


async def test_a_failure_and_forgetting_may_meet(
    server: NameServer, addresses: KeptAddresses, caplog: pytest.LogCaptureFixture
) -> None:
    """A call to `forget` just after a failed look-up does no harm."""
    server.error = OSError("no name server")
    waiting = asyncio.create_task(addresses.get())
    while not waiting.done():
        addresses.forget()
        await asyncio.sleep(0)
    assert str(waiting.exception()) == "no name server"
    assert not caplog.records  # an exception in a callback would be logged


async def test_a_caller_that_leaves_takes_no_lookup_along(server: NameServer, addresses: KeptAddresses) -> None:
    """When one caller leaves, another one that waits for the same answer gets it."""
    server.gate.clear()
    leaving, staying = (asyncio.create_task(addresses.get()) for _ in range(2))
    while not server.asked:
        await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait({leaving})
    server.gate.set()
    assert await staying == HOSTS


@pytest.mark.parametrize("hosts", [["10.0.0.1"], ["10.0.0.1", "10.0.0.2", "10.0.0.3"], ["10.9.9.9"]])
async def test_replicas_come_and_go_while_a_name_serves(
    server: NameServer, addresses: KeptAddresses, monkeypatch: pytest.MonkeyPatch, hosts: list[str]
) -> None:
    """When addresses have reached their age they are looked up, once, beside the connections that use them."""
    monkeypatch.setattr(module, "FRESH", 0.05)
    await addresses.get()
    server.hosts, asked = hosts, server.asked
    await until_async(lambda: asyncio.get_running_loop().time() > addresses._fresh_until)
    server.gate.clear()
    assert await addresses.get() == HOSTS
    await until_async(lambda: server.asked == asked + 1)
    assert await addresses.get() == HOSTS
    assert server.asked == asked + 1
    server.gate.set()
    await until_async(lambda: not addresses._looking)
    assert await addresses.get() == hosts


@pytest.mark.parametrize("fault", ["refused", "silent"])
async def test_old_addresses_are_kept_while_the_name_server_fails(
    server: NameServer, addresses: KeptAddresses, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Whether their age or a failed call has them looked up; who has addresses to try waits for PATIENCE at most."""
    monkeypatch.setattr(module, "FRESH", 0.0)
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    await addresses.get()
    server.error = OSError("no name server")
    if fault == "silent":
        server.gate.clear()
    async with asyncio.timeout(5):
        for _ in range(3):
            assert await addresses.get() == HOSTS
            addresses.forget()


async def test_one_wait_shows_that_a_name_server_is_silent(
    server: NameServer, addresses: KeptAddresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a wait in vain no call waits for the name server until it has answered; then calls wait again."""
    await addresses.get()
    server.gate.clear()
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    addresses.forget()
    assert await addresses.get() == HOSTS
    monkeypatch.setattr(module, "PATIENCE", 3600)
    addresses.forget()
    async with asyncio.timeout(5):
        assert await addresses.get() == HOSTS
    server.hosts = ["10.9.9.9"]
    server.gate.set()
    await until_async(lambda: not addresses._looking)
    server.hosts = ["10.8.8.8"]
    addresses.forget()
    assert await addresses.get() == ["10.8.8.8"]
