"""A request larger than the worker takes goes to it in portions: all in order, or one error and nothing left behind."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp import web

from api.embedder import CacheUse, Embedder
from api.embedding import Field
from api.flights import new_flights
from api.portions import AT_ONCE, BYTES, portions, together
from api.worker_client import WorkerClient
from contract.lane import Lane
from contract.limits import INPUTS
from services.api.tests.helpers.requests import request
from services.api.tests.helpers.standin import StandIn, hold, refuse
from stack import until_async
from warmstart.errors import ClientGone, DependencyUnavailable, Overloaded, PayloadTooLarge

pytestmark = pytest.mark.anyio

TEXTS = ["x" * number for number in range(1, 1001)]


@pytest.fixture
async def worker() -> AsyncIterator[StandIn]:
    """A stand-in worker."""
    async with StandIn().running() as running:
        yield running


@pytest.fixture
async def client(worker: StandIn) -> AsyncIterator[WorkerClient]:
    """Its client."""
    async with WorkerClient(worker.url) as connected:
        await connected.refresh()
        yield connected


def embedder(client: WorkerClient, leaves: asyncio.Event | None = None, budget: float = 10.0) -> Embedder:
    """Of a new request, without a cache."""
    return Embedder(request(budget, leaves), client, CacheUse(), new_flights())


FIELD = Field("input", "input.{}")


@pytest.mark.parametrize("character", ["a", '"', "\x01", "é", "\U0001f600"])
def test_a_portion_fits_the_worker(character: str) -> None:
    """However the texts are written as JSON, a body has at most 256 of them and stays below 8 MiB."""
    texts = dict.fromkeys(range(600), character * 20_000)
    divided = portions(texts)
    assert [key for portion in divided for key in portion] == list(texts)
    bodies = [orjson.dumps({"texts": [texts[key] for key in portion]}) for portion in divided]
    assert max(map(len, bodies)) < 8 * 2**20
    assert max(map(len, divided)) <= INPUTS
    assert len(divided) <= 1 + 600 // min(INPUTS, BYTES // (len(orjson.dumps(texts[0])) + 1))


def test_what_no_call_can_hold_has_a_portion_to_itself() -> None:
    """The worker then says what is wrong with it."""
    assert portions({1: "a", 2: "b" * (BYTES + 1), 3: "c"}) == [[1], [2], [3]]


async def test_every_text_gets_its_vector(worker: StandIn, client: WorkerClient) -> None:
    """A thousand texts are four calls, and the answer is in the order of the request."""
    embedded = await embedder(client).embed(TEXTS, FIELD)
    assert sorted(map(len, worker.calls)) == [232, 256, 256, 256]
    assert [each.tokens for each in embedded.embeddings] == [len(text) for text in TEXTS]
    assert embedded.tokens == sum(map(len, TEXTS))


async def test_all_calls_share_one_budget(worker: StandIn, client: WorkerClient) -> None:
    """No call has more time than the request has left."""
    await embedder(client, budget=600).embed(TEXTS, FIELD)
    assert len(worker.budgets) == 4
    assert all(500 < budget <= 600 for budget in worker.budgets)


async def test_each_portion_states_the_size_of_the_call(worker: StandIn, client: WorkerClient) -> None:
    """The worker learns from each call that it is part of one of so many tokens, and can refuse it as a whole."""
    await embedder(client).embed(TEXTS, FIELD)
    whole = sum(min(len(text) // 4 + 2, 256) for text in TEXTS)
    assert worker.call_tokens == [whole] * 4


async def test_a_call_too_large_for_the_worker_is_its_own_matter(worker: StandIn, client: WorkerClient) -> None:
    """The worker's 413 names the list; a small request that shares a text with the large one is served."""
    flights, go = new_flights(), asyncio.Event()

    async def refuse_large(request: web.Request, items: list[str]) -> web.StreamResponse | None:
        await go.wait()
        if int(request.headers["X-Call-Tokens"]) < 1000:
            return None
        return await refuse(413, code="too_many_tokens", message="about 600 tokens would fit")(request, items)

    worker.before = refuse_large
    large = asyncio.create_task(Embedder(request(), client, CacheUse(), flights).embed(TEXTS, FIELD))
    await until_async(lambda: len(worker.calls) == 4)
    small = asyncio.create_task(Embedder(request(), client, CacheUse(), flights).embed([TEXTS[300]], FIELD, Lane.BULK))
    await until_async(lambda: any(flight.waiters == 2 for flight in flights._flights.values()))
    go.set()
    with pytest.raises(PayloadTooLarge, match="about 600 tokens would fit") as caught:
        await large
    assert (caught.value.param, caught.value.code) == ("input", "too_many_tokens")
    assert (await small).tokens == 301


async def test_a_refusal_ends_the_other_calls(worker: StandIn, client: WorkerClient) -> None:
    """The first refusal is the answer; what the other calls were doing is given up."""

    async def only_the_third_ends(request: web.Request, items: list[str]) -> web.StreamResponse | None:
        if TEXTS[600] not in items:
            await asyncio.Event().wait()
        return await refuse(503, code="overloaded", message="the queue is full")(request, items)

    worker.before = only_the_third_ends
    with pytest.raises(Overloaded, match="the queue is full"):
        await embedder(client).embed(TEXTS, FIELD)
    await until_async(lambda: worker.cancelled == 3, 5, "three calls are given up")


async def test_a_client_that_leaves_ends_all_calls(worker: StandIn, client: WorkerClient) -> None:
    """None of the calls goes on for nobody."""
    leaves = asyncio.Event()
    worker.before = hold(asyncio.Event())
    call = asyncio.create_task(embedder(client, leaves).embed(TEXTS, FIELD))
    await until_async(lambda: len(worker.calls) == 4)
    leaves.set()
    with pytest.raises(ClientGone):
        await call
    await until_async(lambda: worker.cancelled == 4)


async def test_a_text_of_a_large_call_is_shared(worker: StandIn, client: WorkerClient) -> None:
    """A small request waits for the portion that has its text, not for the whole large call."""
    flights = new_flights()
    second, others = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request, items: list[str]) -> None:
        await (second if TEXTS[300] in items else others).wait()

    worker.before = wait
    large = asyncio.create_task(Embedder(request(), client, CacheUse(), flights).embed(TEXTS, FIELD))
    await until_async(lambda: len(worker.calls) == 4)
    small = asyncio.create_task(Embedder(request(), client, CacheUse(), flights).embed([TEXTS[300]], FIELD, Lane.BULK))
    await until_async(lambda: any(flight.waiters == 2 for flight in flights._flights.values()))
    second.set()
    assert (await small).tokens == 301
    assert len(worker.calls) == 4
    others.set()
    assert (await large).tokens == sum(map(len, TEXTS))


async def test_calls_at_a_time_are_bounded() -> None:
    """Of a hundred portions `AT_ONCE` are under way; an error is raised by itself, and no further call begins."""
    under_way, most, begun = 0, 0, 0

    async def ask(portion: list[int]) -> int:
        nonlocal under_way, most, begun
        under_way, begun = under_way + 1, begun + 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        if portion == [50]:
            raise DependencyUnavailable("worker", "gone")
        return portion[0]

    with pytest.raises(DependencyUnavailable):
        await together(ask, [[number] for number in range(100)])
    assert most == AT_ONCE
    assert begun < 50 + 2 * AT_ONCE
    assert await together(ask, [[number] for number in range(20)]) == list(range(20))
