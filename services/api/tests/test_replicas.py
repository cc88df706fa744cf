"""Workers that come and go behind one name, under calls: each that is ready gets its share, and no call is lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from api import replicas as module
from api.worker_client import WorkerClient
from services.api.tests.helpers.replicas import RECENT, Replicas, named
from services.api.tests.helpers.standin import Misbehaviour, StandIn, refuse
from stack import until_async
from warmstart.errors import DependencyUnavailable

pytestmark = pytest.mark.anyio

CALLERS = 8


@pytest.fixture
async def replicas(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Replicas]:
    """None yet."""
    async with named(monkeypatch) as made:
        yield made


@asynccontextmanager
async def called(replicas: Replicas) -> AsyncIterator[WorkerClient]:
    """Callers that call again and again; any error ends the test."""
    async with WorkerClient(f"http://worker:{replicas.port}") as client, asyncio.TaskGroup() as group:

        async def call() -> None:
            while True:
                replicas.served.append((await client.embed(["a"], budget=5)).fingerprint)

        callers = [group.create_task(call()) for _ in range(CALLERS)]
        yield client
        for each in callers:
            each.cancel()


async def test_each_ready_replica_gets_its_share(replicas: Replicas) -> None:
    """Those that join, when they are ready; while they start, and name servers list them already, no call fails."""
    await replicas.add()
    async with called(replicas) as client:
        await until_async(lambda: replicas.shared(1))
        cold = [await replicas.add(cold=True) for _ in range(2)]
        await until_async(lambda: all(each.calls for each in cold))
        await client.refresh()
        for each in cold:
            each.before = None
        await until_async(lambda: replicas.shared(3))


async def test_replicas_that_leave_take_no_call_along(replicas: Replicas) -> None:
    """Whether the name server knows it or not: who listens no more is not waited for."""
    for _ in range(3):
        await replicas.add()
    async with called(replicas):
        await until_async(lambda: replicas.shared(3))
        for number in range(2):
            await replicas.stop(number)
        await until_async(lambda: replicas.shared(1))
        replicas.hosts = replicas.hosts[2:]
        calls = len(replicas.standins[2].calls)
        await until_async(lambda: len(replicas.standins[2].calls) > calls + RECENT)


async def test_a_replica_that_has_lost_its_model_costs_no_call(replicas: Replicas) -> None:
    """It says 503 to everything: the others are asked. What is only overloaded is not asked again elsewhere."""
    broken, _ = await replicas.add(), await replicas.add()
    broken.before = refuse(503, code="dependency_unavailable", message="model is unavailable")
    async with called(replicas):
        await until_async(lambda: replicas.shared(1) and broken.calls)
        assert set(replicas.served) == {"127.0.0.3"}


async def test_a_slow_replica_gets_less(replicas: Replicas) -> None:
    """Calls go where the fewest are under way, so that one of three that is slow delays few."""
    slow, *others = [await replicas.add() for _ in range(3)]
    slow.before = outlasts(others, 50)  # of their calls; each of them has up to three under way
    async with called(replicas):
        await until_async(lambda: len(replicas.served) == RECENT)
    shares = Counter(replicas.served)
    assert 0 < shares["127.0.0.2"] < shares["127.0.0.3"] / 2


async def test_a_hung_replica_loses_no_call(replicas: Replicas) -> None:
    """It takes calls and answers nothing: they are sent elsewhere, it gets no other, and later its share again."""
    hung, _ = await replicas.add(), await replicas.add()
    async with called(replicas):
        await until_async(lambda: replicas.shared(2))
        hung.thawed.clear()
        await until_async(lambda: replicas.shared(1), 15)
        calls = len(hung.calls)
        replicas.served.clear()
        await until_async(lambda: len(replicas.served) == RECENT)
        assert len(hung.calls) == calls
        hung.thawed.set()
        await until_async(lambda: replicas.shared(2))


async def test_a_hung_replica_is_noticed_by_samples_alone(replicas: Replicas) -> None:
    """On a quiet api nothing but health samples is under way, and they are given up after a second."""
    hung, _ = await replicas.add(), await replicas.add()
    async with WorkerClient(f"http://worker:{replicas.port}") as client:
        hung.thawed.clear()

        async def noticed() -> bool:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.refresh()
            return client._sessions._replicas._known["127.0.0.2"].hung

        async with asyncio.timeout(30):
            while not await noticed():
                await asyncio.sleep(0.01)
        assert {(await client.embed(["a"], budget=5)).fingerprint for _ in range(10)} == {"127.0.0.3"}
        hung.thawed.set()


async def test_it_is_told_once_that_a_replica_hangs(replicas: Replicas, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it is asked again and again whether it lives: the pool of connections is emptied once, not each time."""
    monkeypatch.setattr(module, "LOOK", 0.01)
    await replicas.add()
    await replicas.add()
    asked, told = Counter[str](), list[None]()

    async def ping(url: URL) -> None:
        asked[str(url.host)] += 1
        if url.host == "127.0.0.2":
            await asyncio.Event().wait()

    known = module.Replicas(URL(f"http://worker:{replicas.port}"), ping, lambda: told.append(None))
    async with known.chosen():  # from now on it watches
        pass
    known._known["127.0.0.2"].doubted = True
    await until_async(lambda: asked["127.0.0.2"] > 5)
    await known.close()
    assert len(told) == 1


async def test_calls_refused_together_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that restarts is avoided for the shortest time, however many calls it refuses at that moment."""
    monkeypatch.setattr(module, "AVOIDED", 60.0)
    monkeypatch.setattr(module, "LONGEST", 480.0)
    replica = module.Replica(URL("http://worker"))
    for _ in range(4):
        replica.avoid()
    now = asyncio.get_running_loop().time()
    assert replica.rank(now)[1]
    assert not replica.rank(now + 61)[1]


async def test_replicas_are_called_by_the_workers_name(replicas: Replicas) -> None:
    """Whatever address a call goes to, its Host header is that of the URL: proxies route by it."""
    standin = await replicas.add()
    async with WorkerClient(f"http://worker:{replicas.port}") as client:
        await client.embed(["a"], budget=5)
    assert standin.host == f"worker:{replicas.port}"


async def test_a_busy_replica_keeps_its_calls(replicas: Replicas) -> None:
    """It computes for longer than the silence that is noticed, and lives: nothing is sent twice."""
    for _ in range(2):
        (await replicas.add()).before = takes(0.6)
    async with WorkerClient(f"http://worker:{replicas.port}") as client:
        await asyncio.gather(*(client.embed([f"text {number}"], budget=5) for number in range(4)))
    assert [len(each.calls) for each in replicas.standins] == [2, 2]


def outlasts(others: list[StandIn], calls: int) -> Misbehaviour:
    """Answer every call only after so many further calls of the others."""

    def made() -> int:
        return sum(len(each.calls) for each in others)

    async def before(_: web.Request, __: list[Any]) -> None:
        enough = made() + calls
        await until_async(lambda: made() >= enough)

    return before


def takes(seconds: float) -> Misbehaviour:
    """Answer every call after so many seconds."""

    async def before(_: web.Request, __: list[Any]) -> None:
        await asyncio.sleep(seconds)

    return before


def mortal(standin: StandIn) -> None:
    """It computes for a while, and a deadly text ends it, with whatever it computes then."""

    async def before(_: web.Request, items: list[Any]) -> None:
        if items == ["deadly"]:
            for each in standin.connections:
                if each:
                    each.abort()
        await asyncio.sleep(0.05)

    standin.before = before


async def test_a_query_of_death_ends_two_processes_and_no_other_call(replicas: Replicas) -> None:
    """The text is sent twice, not to each replica; what else its process was computing is tried again without it."""
    for _ in range(2):
        mortal(await replicas.add())
    async with WorkerClient(f"http://worker:{replicas.port}") as client:
        others = [asyncio.create_task(client.embed([f"text {number}"], budget=5)) for number in range(12)]
        await until_async(lambda: sum(len(each.calls) for each in replicas.standins) == 12)
        with pytest.raises(DependencyUnavailable, match="worker"):
            await client.embed(["deadly"], budget=5)
        assert all([await each for each in others])
    assert sum(each.calls.count(["deadly"]) for each in replicas.standins) == 2
