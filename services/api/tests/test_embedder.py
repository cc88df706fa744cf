"""One text makes one call to the worker, however many requests want it; a bad input fails only its own request."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from api.embedder import STAGES, CacheUse, Embedder
from api.embedding import Field
from api.flights import new_flights
from api.worker_client import WorkerClient
from contract.lane import Lane
from services.api.tests.helpers.requests import request
from services.api.tests.helpers.standin import Misbehaviour, StandIn, hold, refuse
from stack import until_async
from warmstart.errors import ClientGone, DependencyUnavailable, Overloaded

pytestmark = pytest.mark.anyio


FIELD = Field("input", "input.{}")


def saved(reason: str) -> float:
    """Texts of this process that were not computed for this reason."""
    return REGISTRY.get_sample_value("embedding_texts_saved_total", {"reason": reason}) or 0.0


class Service:
    """Embedders of several requests to one process, with a stand-in worker and no cache."""

    def __init__(self, worker: StandIn, client: WorkerClient) -> None:
        self.worker = worker
        self._client = client
        self._flights = new_flights()

    def embedder(self, budget: float = 10.0, leaves: asyncio.Event | None = None) -> Embedder:
        """The embedder of a new request."""
        return Embedder(request(budget, leaves), self._client, CacheUse(), self._flights)

    @property
    def waiting(self) -> int:
        """Requests that wait for the worker."""
        return self._flights.waiting

    async def embed_together(self, *requests: list[str]) -> list[Any]:
        """The outcomes of requests that all wait before the worker answers the first of them."""
        go, before = asyncio.Event(), self.worker.before

        async def held(call: web.Request, items: list[Any]) -> web.StreamResponse | None:
            await go.wait()
            return await before(call, items) if before else None

        self.worker.before = held
        calls = [asyncio.create_task(self.embedder().embed(texts, FIELD)) for texts in requests]
        await until_async(lambda: self.waiting == len(calls))
        go.set()
        return await asyncio.gather(*calls, return_exceptions=True)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A service on a stand-in worker."""
    async with StandIn().running() as worker, WorkerClient(worker.url) as client:
        await client.refresh()
        yield Service(worker, client)


async def test_equal_texts_of_one_request_are_sent_once(service: Service) -> None:
    """Repeated texts cost one forward pass, which is counted, and each place gets its vector."""
    before = saved("duplicate")
    embedded = await service.embedder().embed(["a", "bb", "a", "a"], FIELD)
    assert service.worker.calls == [["a", "bb"]]
    assert [each.tokens for each in embedded.embeddings] == [1, 2, 1, 1]
    assert embedded.tokens == 5
    assert saved("duplicate") - before == 2


async def test_concurrent_misses_of_one_text_reach_the_worker_once(service: Service) -> None:
    """Twenty requests for one text are one call, and nineteen texts saved."""
    before = saved("shared")
    go = asyncio.Event()
    service.worker.before = hold(go)
    calls = [asyncio.create_task(service.embedder().embed(["same"], FIELD)) for _ in range(20)]
    await until_async(lambda: service.worker.calls)
    go.set()
    answers = await asyncio.gather(*calls)
    assert service.worker.calls == [["same"]]
    assert {each.embeddings[0].packed for each in answers} == {answers[0].embeddings[0].packed}
    assert saved("shared") - before == 19


async def test_the_worker_is_told_the_lane(service: Service) -> None:
    """It is the one that is asked for, or that of the size: 257 texts of 9 tokens are more than a batch, 3 aren't."""
    long = [f"{'x' * 28}{number:04}" for number in range(257)]
    for items, lane in ((["a"], None), (long, None), (["b"], Lane.BULK), (long[:2], Lane.INTERACTIVE)):
        await service.embedder().embed(items, FIELD, lane)
    assert service.worker.lanes == ["interactive", "bulk", "bulk", "bulk", "interactive"]


async def test_an_interactive_request_does_not_wait_for_a_bulk_call_with_its_text(service: Service) -> None:
    """It makes a call of its own, which may be answered first."""
    held = asyncio.Event()

    async def hold_bulk(request: web.Request, _: list[Any]) -> None:
        if request.headers["X-Priority"] == "bulk":
            await held.wait()

    service.worker.before = hold_bulk
    bulk = asyncio.create_task(service.embedder().embed(["same"], FIELD, Lane.BULK))
    await until_async(lambda: service.worker.calls)
    await service.embedder().embed(["same"], FIELD, Lane.INTERACTIVE)
    assert (service.worker.lanes, bulk.done()) == (["bulk", "interactive"], False)
    held.set()
    await bulk


async def fail_at_bad(_: web.Request, items: list[Any]) -> web.StreamResponse | None:
    """Answer as the worker does when one text fails."""
    if "bad" not in items:
        return None
    where = f"texts.{items.index('bad')}"
    return await refuse(500, code="inference_failed", param=where, message=f"{where} could not be embedded")(_, items)


async def die_of_bad(request: web.Request, items: list[Any]) -> None:
    """Break the connection, as a process does that the text ends."""
    if "bad" in items:
        assert request.transport
        request.transport.abort()


@pytest.mark.parametrize("how", [fail_at_bad, die_of_bad])
async def test_a_bad_text_fails_no_request_without_it(service: Service, how: Misbehaviour) -> None:
    """Two that share another text with its call are served, by one call more."""
    service.worker.before = how
    bad, *others = await service.embed_together(["a", "bad"], ["a"], ["a", "b"])
    assert isinstance(bad, DependencyUnavailable)
    assert [[each.tokens for each in other.embeddings] for other in others] == [[1], [1, 1]]
    assert [call for call in service.worker.calls if "bad" not in call] == [["b"], ["a"]]


@pytest.mark.parametrize(("how", "calls"), [(fail_at_bad, 1), (die_of_bad, 4)])
async def test_a_bad_text_is_not_asked_for_by_each_who_wants_it(
    service: Service, how: Misbehaviour, calls: int
) -> None:
    """Ten requests cost as many processes as two: it may have been the other text of the first call."""
    service.worker.before = how
    outcomes = await service.embed_together(["a", "bad"], *[["bad"]] * 10)
    assert {type(each) for each in outcomes} == {DependencyUnavailable}
    assert len([call for call in service.worker.calls if "bad" in call]) == calls


@pytest.mark.parametrize(
    ("field", "named"),
    [
        (FIELD, "input.2"),
        (Field("documents", "documents.{}.text"), "documents.2.text"),
    ],
)
async def test_the_text_at_which_the_worker_fails_has_the_callers_name(
    service: Service, field: Field, named: str
) -> None:
    """The worker got two texts of three, since two are equal. The fault stays: no Retry-After invites a second call."""
    service.worker.before = fail_at_bad
    with pytest.raises(DependencyUnavailable) as caught:
        await service.embedder().embed(["a", "a", "bad"], field)
    assert service.worker.calls == [["a", "bad"]]
    assert caught.value.message == f"worker is unavailable: {named} could not be embedded"
    assert (caught.value.param, caught.value.headers) == (named, {})


@pytest.mark.parametrize("param", ["texts", "texts.9", "texts.", "texts.99999999999"])
async def test_a_failure_that_names_no_text_of_the_call_names_all(service: Service, param: str) -> None:
    """As when texts can't be tokenized."""
    service.worker.before = refuse(500, code="inference_failed", param=param, message=f"{param} could not be tokenized")
    with pytest.raises(DependencyUnavailable, match=r"unavailable: input\S* could not be tokenized") as caught:
        await service.embedder().embed(["a", "b"], Field("input", "input.{}"))
    assert (caught.value.param, caught.value.retry_after) == (None, 1)


async def test_an_overloaded_worker_is_asked_once_more_for_all_who_wait(service: Service) -> None:
    """The first request may have had less time than the others; fifty are not refused one after the other."""
    service.worker.before = refuse(503, code="overloaded", retry_after=7, message="the queue is full")
    outcomes = await service.embed_together(*[["hot"]] * 50)
    assert {(type(each), each.retry_after) for each in outcomes} == {(Overloaded, 7)}
    assert service.worker.calls == [["hot"], ["hot"]]


async def test_one_refusal_by_an_overloaded_worker_fails_one_request(service: Service) -> None:
    """The others share the second call, which finds room."""
    full = refuse(503, code="overloaded", message="the queue is full")

    async def once(request: web.Request, items: list[Any]) -> web.StreamResponse | None:
        return await full(request, items) if len(service.worker.calls) == 1 else None

    service.worker.before = once
    first, *others = await service.embed_together(*[["hot"]] * 5)
    assert isinstance(first, Overloaded)
    assert {each.tokens for each in others} == {3}
    assert service.worker.calls == [["hot"], ["hot"]]


async def test_a_request_with_time_left_is_not_refused_for_the_little_time_of_another(service: Service) -> None:
    """The worker refuses what would not end in time; those who wait are asked for together, with the longest time."""
    full = refuse(503, code="overloaded", message="0.3 s are left")

    async def lacks_time(request: web.Request, items: list[Any]) -> web.StreamResponse | None:
        await go.wait()
        return await full(request, items) if float(request.headers["X-Request-Timeout"]) < 5 else None

    go, service.worker.before = asyncio.Event(), lacks_time
    first = asyncio.create_task(service.embedder(2.0).embed(["hot"], FIELD))
    await until_async(lambda: service.worker.calls)
    others = [asyncio.create_task(service.embedder(budget).embed(["hot"], FIELD)) for budget in (3.0, 4.0, 10.0, 2.0)]
    await until_async(lambda: service.waiting == 5)
    go.set()
    with pytest.raises(Overloaded):
        await first
    assert {each.tokens for each in await asyncio.gather(*others)} == {3}
    assert service.worker.calls == [["hot"], ["hot"]]


async def test_every_stage_has_a_timing(service: Service) -> None:
    """cache, tokenize, queue and inference are always there, in the worker's own figures."""
    timings = (await service.embedder().embed(["a"], FIELD)).timings
    assert tuple(timings) == STAGES
    assert timings["inference"] == pytest.approx(0.003)


async def test_work_for_a_client_that_left_is_cancelled(service: Service) -> None:
    """The call to the worker ends when the only client who waits for it has gone."""
    leaves = asyncio.Event()
    service.worker.before = hold(asyncio.Event())
    call = asyncio.create_task(service.embedder(leaves=leaves).embed(["a"], FIELD))
    await until_async(lambda: service.worker.calls)
    leaves.set()
    with pytest.raises(ClientGone):
        await call
    await until_async(lambda: service.worker.cancelled == 1)


async def test_the_model_of_an_answer_is_the_one_that_made_it(service: Service) -> None:
    """A worker that changed its model since the last look is noticed, and no vector is mislabelled."""
    await service.embedder().embed(["a"], FIELD)
    service.worker.fingerprint = "fp-2"
    embedded = await service.embedder().embed(["a"], FIELD)
    assert embedded.model.fingerprint == "fp-2"


async def test_vectors_of_another_engine_of_the_space_are_taken(service: Service) -> None:
    """A worker on another kind of CPU has another fingerprint, but its vectors can be compared: one call."""
    service.worker.space = "one space"
    await service.embedder().embed(["a"], FIELD)
    await service.embedder().embed(["b"], FIELD)
    before = len(service.worker.calls)
    service.worker.fingerprint = "fp-2"
    embedded = await service.embedder().embed(["c"], FIELD)
    assert (embedded.model.space, embedded.model.fingerprint) == ("one space", "fp-1")
    assert len(service.worker.calls) == before + 1


async def test_a_miss_makes_two_tasks(service: Service) -> None:
    """One works for all who wait for the text, one sees the client leave; the HTTP client's own come on top."""
    made: list[str] = []

    def count(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> "asyncio.Task[Any]":
        if "aiohttp" not in work.cr_code.co_filename:
            made.append(work.__qualname__)
        return asyncio.Task(work, loop=loop, **options)

    asyncio.get_running_loop().set_task_factory(count)
    await service.embedder().embed(["a"], FIELD)
    asyncio.get_running_loop().set_task_factory(None)
    assert len(made) == 2, made
