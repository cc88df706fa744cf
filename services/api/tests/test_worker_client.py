"""The client to the worker: one retry, the time budget passed on, and the worker's errors kept apart."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import uvloop

from api.worker_client import WorkerClient
from services.api.tests.helpers.standin import StandIn, cut, cut_known, hold, refuse
from stack import free_ports, until_async
from tests.harness.clock import put_forward
from warmstart.errors import DeadlineExceeded, DependencyUnavailable, Overloaded

pytestmark = pytest.mark.anyio


@pytest.fixture
async def worker() -> AsyncIterator[StandIn]:
    """A stand-in worker, serving."""
    async with StandIn().running() as standin:
        yield standin


@pytest.fixture
async def client(worker: StandIn) -> AsyncIterator[WorkerClient]:
    """A client of it."""
    async with WorkerClient(worker.url) as made:
        yield made


async def test_an_answer_has_vectors_counts_model_and_timings(client: WorkerClient) -> None:
    """All that the worker says in headers and body arrives, in order."""
    answer = await client.embed(["a", "bbb"], budget=5)
    assert [each.floats() for each in answer.embeddings] == [[1, 0, 0, 0], [3, 0, 0, 0]]
    assert [each.tokens for each in answer.embeddings] == [1, 3]
    assert answer.fingerprint == "fp-1"
    assert answer.timings == pytest.approx({"tokenize": 0.001, "queue": 0.002, "inference": 0.003})


async def test_a_worker_that_is_away_is_told_in_a_few_words() -> None:
    """Probes, errors and the page say what the system said, and of which address: aiohttp's own text is long."""
    port = free_ports()["worker"]
    async with WorkerClient(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(DependencyUnavailable) as raised:
            await client.refresh()
    assert raised.value.reason == f"Connection refused (127.0.0.1:{port})"


def test_a_spent_budget_is_never_taken_for_a_failure_of_the_worker() -> None:
    """Others who wait for the same text would fail, too. uvloop's timers go off up to half a millisecond early."""

    async def main() -> None:
        async with StandIn().running() as worker, WorkerClient(worker.url) as client:
            worker.before = hold(asyncio.Event())
            for budget in (0.0503, 0.0504, 0.0502, 0.0501, 0.05049):
                with pytest.raises(DeadlineExceeded):
                    await client.embed(["a"], budget=budget)

    uvloop.run(main())


async def test_token_ids_are_sent_as_such(client: WorkerClient, worker: StandIn) -> None:
    """Token ids go to the worker as lists of integers."""
    await client.embed([(5, 6), (7,)], budget=5)
    assert worker.calls == [[[5, 6], [7]]]


async def test_a_failed_connection_is_tried_once_more(client: WorkerClient, worker: StandIn) -> None:
    """A reset in mid-request costs the caller nothing."""
    worker.before = cut(1)
    answer = await client.embed(["a"], budget=5)
    assert answer.embeddings[0].tokens == 1
    assert len(worker.calls) == 2


async def test_a_second_failure_is_reported(client: WorkerClient, worker: StandIn) -> None:
    """There is one retry, not more."""
    worker.before = cut(9)
    with pytest.raises(DependencyUnavailable, match="worker"):
        await client.embed(["a"], budget=5)
    assert len(worker.calls) == 2


def test_a_connection_that_is_reset_at_once_is_a_typed_error() -> None:
    """The worker's end is gone before the request is sent; uvloop, as in production, then knows no peer's name."""

    async def reset_all(listener: socket.socket) -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except BlockingIOError:
                await asyncio.sleep(0)
            else:
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                accepted.close()

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            resetting = asyncio.create_task(reset_all(listener))
            try:
                async with WorkerClient(f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
                    with pytest.raises(DependencyUnavailable, match="worker is unavailable"):
                        await client.embed(["a"], budget=5)
            finally:
                resetting.cancel()

    uvloop.run(main())


async def test_connections_are_used_again(client: WorkerClient, worker: StandIn) -> None:
    """Six hundred calls, a hundred at a time, open no more than a hundred connections."""
    for _ in range(6):
        await asyncio.gather(*(client.embed(["a"], budget=30) for _ in range(100)))
    assert len(worker.calls) == 600
    assert len(worker.connections) <= 100


async def test_dead_connections_of_the_pool_fail_no_call(client: WorkerClient, worker: StandIn) -> None:
    """Sixteen pooled connections die at once; each of the next eight calls gets through on its one retry."""
    together = asyncio.Event()
    worker.before = hold(together)
    calls = [asyncio.create_task(client.embed(["a"], budget=5)) for _ in range(16)]
    await until_async(lambda: len(worker.calls) == 16)
    together.set()
    await asyncio.gather(*calls)
    assert len(worker.connections) == 16
    worker.before = cut_known(worker)
    answers = await asyncio.gather(*(client.embed(["a"], budget=5) for _ in range(8)))
    assert len(answers) == 8


async def test_after_a_health_sample_without_an_answer_no_call_meets_a_dead_connection(
    client: WorkerClient, worker: StandIn
) -> None:
    """Sixteen pooled connections are dead, and nobody was told; calls that are under way keep theirs."""
    together, later = asyncio.Event(), asyncio.Event()
    worker.before = hold(together)
    calls = [asyncio.create_task(client.embed(["a"], budget=30)) for _ in range(16)]
    await until_async(lambda: len(worker.calls) == 16)
    together.set()
    await asyncio.gather(*calls)
    worker.before = hold(later)
    under_way = asyncio.create_task(client.embed(["a"], budget=30))
    await until_async(lambda: len(worker.calls) == 17)
    worker.before, worker.dead = None, set(worker.connections)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.refresh(), 0.2)
    answers = await asyncio.gather(*(client.embed(["a"], budget=10) for _ in range(16)))
    assert len(answers) == 16
    later.set()
    assert (await under_way).fingerprint == "fp-1"


def fail_lookups(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Have every lookup of a name fail from now on; returns the names, as they come."""
    names: list[object] = []

    async def fail(name: object, *_: object, **__: object) -> None:
        names.append(name)
        raise OSError("no name server")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail)
    return names


def by_name(worker: StandIn) -> WorkerClient:
    """A client that has to look the worker up."""
    return WorkerClient(worker.url.replace("127.0.0.1", "localhost"))


async def test_a_failing_name_server_fails_no_call(worker: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of a worker that answers is kept; a failed connection has it looked up anew, but not forgotten."""
    async with by_name(worker) as client:
        await client.refresh()
        names = fail_lookups(monkeypatch)
        await asyncio.gather(*(client.embed(["a"], budget=5) for _ in range(20)))
        assert not names
        worker.before = cut(1)
        await client.embed(["a"], budget=5)
        assert names == ["localhost"]


async def test_calls_outlive_that_others_forget_the_address(worker: StandIn) -> None:
    """A killed worker process takes several calls along: one forgets the address while others have it looked up."""
    for _ in range(10):
        async with by_name(worker) as client:
            calls = [asyncio.create_task(client.embed(["a"], budget=5)) for _ in range(20)]
            while not all(call.done() for call in calls):
                forgetting = asyncio.create_task(client.refresh())
                await asyncio.sleep(0)
                forgetting.cancel()
                await asyncio.wait({forgetting})
            assert all([await call for call in calls])


async def test_a_worker_that_fails_a_check_is_looked_up_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have moved; while its checks fail no call is made that could find out."""
    standin = StandIn()
    async with AsyncExitStack() as serving:
        await serving.enter_async_context(standin.running())
        async with by_name(standin) as client:
            await client.refresh()
            names = fail_lookups(monkeypatch)
            await serving.aclose()
            for _ in range(2):  # the first finds that nobody listens any more
                with pytest.raises(DependencyUnavailable):
                    await client.refresh()
            assert names


async def test_a_check_that_was_given_up_has_the_worker_looked_up_anew(
    worker: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample's limit is shorter than a connection's."""
    async with by_name(worker) as client:
        await client.refresh()
        names = fail_lookups(monkeypatch)
        check = asyncio.create_task(client.refresh())
        await asyncio.sleep(0)
        check.cancel()
        await asyncio.wait({check})
        await client.refresh()
        assert names == ["localhost"]


async def test_nobody_listening_is_unavailable() -> None:
    """A refused connection is a typed 503."""
    async with WorkerClient("http://127.0.0.1:1") as client:
        with pytest.raises(DependencyUnavailable, match="worker"):
            await client.embed(["a"], budget=5)
        with pytest.raises(DependencyUnavailable, match="worker"):
            await client.refresh()


async def test_the_remaining_budget_travels_on_and_ends_the_call(
    client: WorkerClient, worker: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker is told how long the caller still waits; a slower answer is a 504."""
    worker.before = hold(asyncio.Event())
    call = asyncio.create_task(client.embed(["a"], budget=60))
    await until_async(lambda: worker.budgets)
    assert 0 < worker.budgets[0] <= 60
    put_forward(60, monkeypatch)
    with pytest.raises(DeadlineExceeded):
        await asyncio.wait_for(call, 15)


async def test_an_overloaded_worker_says_when_to_come_back(client: WorkerClient, worker: StandIn) -> None:
    """The worker's Retry-After reaches the caller."""
    worker.before = refuse(503, retry_after=7, code="overloaded", message="the queue is full")
    with pytest.raises(Overloaded, match="the queue is full") as caught:
        await client.embed(["a"], budget=5)
    assert caught.value.retry_after == 7


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "unknown_token_id", DependencyUnavailable),
        (503, "not_ready", DependencyUnavailable),
        (500, "internal_error", DependencyUnavailable),
        (504, "deadline_exceeded", DeadlineExceeded),
    ],
)
async def test_other_errors_of_the_worker_keep_their_meaning(
    client: WorkerClient, worker: StandIn, status: int, code: str, expected: type[Exception]
) -> None:
    """A worker that warms, is broken, or refuses what it says it takes is unavailable; its time-out is a time-out."""
    worker.before = refuse(status, code=code, message="because")
    with pytest.raises(expected, match="because"):
        await client.embed(["a"], budget=5)


async def test_an_answer_of_another_size_is_not_served(client: WorkerClient, worker: StandIn) -> None:
    """Two answers to one text would shift all that follow: it is an error instead."""

    async def doubled(_: object, items: list[str]) -> None:
        items += items

    worker.before = doubled
    with pytest.raises(DependencyUnavailable, match="2 counts"):
        await client.embed(["a"], budget=5)
