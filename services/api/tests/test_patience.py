"""A worker that restarts is waited for: together, for a limited time, by a limited number."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from api import patience
from api.embedder import CacheUse, Embedder
from api.embedding import Field
from api.flights import new_flights
from api.worker_client import WorkerClient
from services.api.tests.helpers.requests import request
from services.api.tests.helpers.standin import Misbehaviour, StandIn, cold, refuse
from stack import free_ports, until_async
from warmstart.errors import DeadlineExceeded, DependencyUnavailable, Overloaded

pytestmark = pytest.mark.anyio

LONG, SHORT = 60.0, 0.1  # seconds
FIELD = Field("input", "input.{}")


@pytest.fixture
async def worker() -> AsyncIterator[StandIn]:
    """A stand-in worker, serving."""
    async with StandIn().running() as standin:
        yield standin


@pytest.fixture
async def client(worker: StandIn) -> AsyncIterator[WorkerClient]:
    """A client of it, which knows its model and is patient."""
    async with WorkerClient(worker.url, LONG) as made:
        await made.refresh()
        yield made


async def missing(client: WorkerClient) -> "asyncio.Task[Any]":
    """A call that has found the worker away, and waits."""
    waits = asyncio.create_task(client.embed(["a"], budget=LONG))
    await until_async(lambda: client.patience.away)
    return waits


async def test_nobody_listening_is_waited_for() -> None:
    """A call to a refused connection is answered as soon as somebody listens there."""
    port = free_ports()["worker"]
    async with WorkerClient(f"http://127.0.0.1:{port}", LONG) as client:
        waits = await missing(client)
        async with StandIn().running(port) as worker:
            assert (await waits).embeddings[0].tokens == 1
            assert worker.calls == [["a"]]


async def test_a_proxy_without_a_worker_is_waited_for() -> None:
    """A proxy accepts connections and breaks them while the worker behind it restarts; no call is used up by that."""

    async def break_off(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    port = free_ports()["worker"]
    async with WorkerClient(f"http://127.0.0.1:{port}", LONG) as client:
        async with await asyncio.start_server(break_off, "127.0.0.1", port):
            waits = await missing(client)
        async with StandIn().running(port) as worker:
            assert (await waits).embeddings[0].tokens == 1
            assert worker.calls == [["a"]]


async def test_a_worker_that_starts_is_waited_for_without_asking_it_to_embed(
    client: WorkerClient, worker: StandIn
) -> None:
    """From when one call has met the gate, all wait: none is sent before the worker describes its model again."""
    worker.starting = True
    waits = [await missing(client)]
    sent = len(worker.calls)
    waits += [asyncio.create_task(client.embed([str(number)], budget=LONG)) for number in range(50)]
    for _ in range(3):
        with pytest.raises(DependencyUnavailable, match="warming"):
            await client.refresh()
    assert len(worker.calls) == sent
    worker.starting = False
    assert len(await asyncio.gather(*waits)) == 51
    assert len(worker.calls) == sent + 51


@pytest.mark.parametrize(
    ("misbehaviour", "expected"),
    [
        (refuse(503, code="overloaded", message="the queue is full"), Overloaded),
        (refuse(503, code="dependency_unavailable", message="model is unavailable"), DependencyUnavailable),
        (refuse(500, code="internal_error"), DependencyUnavailable),
    ],
)
async def test_other_refusals_are_passed_on_at_once(
    client: WorkerClient, worker: StandIn, misbehaviour: Misbehaviour, expected: type[Exception]
) -> None:
    """Waiting is for a worker that starts, not for one that has too much to do or is broken."""
    worker.before = misbehaviour
    with pytest.raises(expected):
        await client.embed(["a"], budget=LONG)
    assert client.patience.away is None


async def test_whoever_stays_away_is_missed_once() -> None:
    """After the patience, calls fail unsent, however long it lasts, until a health check has seen the worker."""
    port = free_ports()["worker"]
    async with WorkerClient(f"http://127.0.0.1:{port}", SHORT) as client:
        with pytest.raises(DependencyUnavailable):
            await client.embed(["a"], budget=LONG)
        async with StandIn().running(port) as worker:
            with pytest.raises(DependencyUnavailable):
                await client.embed(["a"], budget=LONG)
            assert not worker.calls
            await client.refresh()
            assert (await client.embed(["a"], budget=LONG)).embeddings[0].tokens == 1


async def test_without_patience_every_call_tries_for_itself() -> None:
    """WORKER_PATIENCE=0: a call that fails holds no other one back."""
    port = free_ports()["worker"]
    async with WorkerClient(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(DependencyUnavailable):
            await client.embed(["a"], budget=LONG)
        async with StandIn().running(port):
            assert (await client.embed(["a"], budget=LONG)).embeddings[0].tokens == 1


async def test_nobody_waits_beyond_the_budget(client: WorkerClient, worker: StandIn) -> None:
    """A request's own time budget ends its wait, and not the others'."""
    worker.starting = True
    waits = await missing(client)
    with pytest.raises(DeadlineExceeded):
        await client.embed(["a"], budget=SHORT)
    worker.starting = False
    assert (await waits).embeddings[0].tokens == 1


async def test_what_kills_a_worker_is_computed_twice_at_most(client: WorkerClient, worker: StandIn) -> None:
    """A call whose connection breaks each time is tried again once, although it waits for the worker in between."""
    killed: list[bool] = []

    async def kill(asked: web.Request, _: list[Any]) -> web.StreamResponse | None:
        if len(worker.calls) % 2 == 0:  # it meets the replacement, which starts
            return cold()
        if len(killed) < 5:
            killed.append(True)
            assert asked.transport
            asked.transport.abort()
        return None

    worker.before = kill
    with pytest.raises(DependencyUnavailable):
        await client.embed(["a"], budget=LONG)
    assert len(killed) == 2


class Requests:
    """Requests to one process, each for a text of its own, or all for one."""

    def __init__(self, client: WorkerClient) -> None:
        self._client = client
        self.flights = new_flights()

    def embed(self, text: str, failure: str | None = None) -> "asyncio.Task[Any]":
        """A new request; `failure` is what a health sample says of the worker."""
        embedder = Embedder(request(LONG), self._client, CacheUse(), self.flights, worker_failure=failure)
        return asyncio.create_task(embedder.embed([text], FIELD))


@pytest.mark.parametrize("texts", ["abcd", "aaaa"], ids=["each its own", "one for all"])
async def test_so_many_wait_and_no_more(
    client: WorkerClient, worker: StandIn, monkeypatch: pytest.MonkeyPatch, texts: str
) -> None:
    """Beyond the bound a request is refused at once, also where it would only wait for another one's call."""
    monkeypatch.setattr(patience, "MOST", 3)
    requests = Requests(client)
    worker.starting = True
    waits = [requests.embed(texts[0])]
    await until_async(lambda: client.patience.away)
    waits += [requests.embed(text) for text in texts[1:3]]
    await until_async(lambda: requests.flights.waiting == 3)
    with pytest.raises(DependencyUnavailable, match="3 requests wait"):
        await requests.embed(texts[3])
    worker.starting = False
    assert [each.embeddings[0].tokens for each in await asyncio.gather(*waits)] == [1, 1, 1]
    assert requests.flights.waiting == 0


async def test_a_failing_sample_ends_no_wait(client: WorkerClient, worker: StandIn) -> None:
    """Health samples notice a restart too; a request that they would have refused waits like the others."""
    requests = Requests(client)
    worker.starting = True
    with pytest.raises(DependencyUnavailable):
        await client.refresh()
    waits = requests.embed("a", failure="degraded: the service is warming")
    await until_async(lambda: client.patience.away)
    worker.starting = False
    assert (await waits).embeddings[0].tokens == 1


async def test_a_worker_that_hangs_is_not_waited_for(client: WorkerClient, worker: StandIn) -> None:
    """Where samples fail and nobody has seen a restart, a request is refused at once."""
    client.patience.failed()
    with pytest.raises(DependencyUnavailable, match="no answer"):
        await Requests(client).embed("a", failure="degraded: no answer within 1 s")
    assert not worker.calls


async def test_a_call_that_was_answered_is_newer_than_a_failing_sample(client: WorkerClient, worker: StandIn) -> None:
    """A worker that is back serves at once, though the health sample says for another second that it is away."""
    worker.starting = True
    waits = await missing(client)
    worker.starting = False
    await waits
    client.patience.check("as of the last sample", waiting=0)
    client.patience.failed()
    with pytest.raises(DependencyUnavailable, match="as of this one"):
        client.patience.check("as of this one", waiting=0)
