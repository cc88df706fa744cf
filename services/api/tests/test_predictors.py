"""Workers of which only some have a predictor, as in its rollout and roll-back: calls go where there is one."""

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence

import pytest
from aiohttp import web

from api import prediction
from api.classifier import classify
from api.embedder import CacheUse, Embedder
from api.embedding import Embedding, Field
from api.flights import new_flights
from api.predictors import Predicted
from api.worker_answer import NoPredictor, OtherPredictor
from api.worker_client import WorkerClient
from services.api.tests.helpers.replicas import Replicas, named
from services.api.tests.helpers.requests import request
from services.api.tests.helpers.standin import StandIn, cut, head, hold
from stack import free_ports, until_async
from warmstart.errors import ClientGone, DependencyUnavailable

pytestmark = pytest.mark.anyio

SPACE = "space"
LONG = 60.0  # seconds
VECTORS = [Embedding(1, struct.pack("<4f", number, 0, 0, 0)) for number in (9, 1, 9)]
LABELS = ["long", "short", "long"]


@pytest.fixture
async def replicas(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Replicas]:
    """None yet."""
    async with named(monkeypatch) as made:
        yield made


async def predicted(
    client: WorkerClient, vectors: Sequence[Embedding] = VECTORS, space: str = SPACE, *, waits: bool = True
) -> Predicted:
    """Classify them."""
    ends = asyncio.get_running_loop().time() + LONG
    return await client.predictors.classify(vectors, space, ends, waits=waits)


def labels(found: Predicted) -> list[object]:
    """Of each vector."""
    return [each.label for each in found.results]


async def test_calls_go_to_the_worker_that_has_one(replicas: Replicas) -> None:
    """While the first predictor is rolled out: none fails, and the others go on embedding."""
    without, has = await replicas.add(), await replicas.add()
    has.predictor = head(SPACE)
    async with WorkerClient(f"http://worker:{replicas.port}") as client:
        for _ in range(10):
            assert labels(await predicted(client)) == LABELS
        assert without.predicted
        assert len(has.predicted) == 10
        for _ in range(10):
            await client.embed(["a"], budget=LONG)
        assert without.calls
        assert has.calls


async def test_a_busy_worker_that_has_one_is_asked_all_the_same(replicas: Replicas) -> None:
    """Though another one, which has none, has less to do."""
    without, has = await replicas.add(), await replicas.add()
    has.predictor = head(SPACE)
    done = asyncio.Event()
    has.before = hold(done)
    async with WorkerClient(f"http://worker:{replicas.port}") as client:
        calls = [asyncio.create_task(client.embed(["a"], budget=LONG)) for _ in range(8)]
        await until_async(lambda: len(has.calls) == 4 and len(without.calls) == 4)
        assert labels(await predicted(client)) == LABELS
        done.set()
        await asyncio.gather(*calls)


async def test_a_worker_that_is_gone_is_not_taken_for_one_without(replicas: Replicas) -> None:
    """One has none, one is away, one has it: calls go there."""
    _, _, has = [await replicas.add() for _ in range(3)]
    has.predictor = head(SPACE)
    await replicas.stop(1)
    async with WorkerClient(f"http://worker:{replicas.port}") as client:
        for _ in range(10):
            assert labels(await predicted(client)) == LABELS


async def test_one_of_another_space_is_passed_over(replicas: Replicas) -> None:
    """As while a model and its head are replaced together; when all are of another one, it is refused."""
    old, new = await replicas.add(), await replicas.add()
    old.predictor, new.predictor = head("old"), head(SPACE)
    async with WorkerClient(f"http://worker:{replicas.port}") as client:
        for _ in range(6):
            assert labels(await predicted(client)) == LABELS
        new.predictor = None
        with pytest.raises(OtherPredictor, match="another space"):
            await predicted(client, waits=False)


async def test_the_only_one_is_waited_for_while_its_worker_restarts(replicas: Replicas) -> None:
    """The others are there, but have none; nobody sends them vectors meanwhile."""
    without, has = await replicas.add(), await replicas.add()
    has.predictor = head(SPACE)
    async with WorkerClient(f"http://worker:{replicas.port}", LONG) as client:
        assert labels(await predicted(client)) == LABELS
        has.starting = True
        waits = [asyncio.create_task(predicted(client)) for _ in range(5)]
        await until_async(lambda: client.predictors.patience.away)
        sent = len(without.predicted)
        with pytest.raises(NoPredictor):
            await predicted(client, waits=False)
        assert len(without.predicted) <= sent + 5
        has.starting = False
        assert [labels(each) for each in await asyncio.gather(*waits)] == [LABELS] * 5


async def test_after_a_roll_back_calls_fail_and_wait_no_more(replicas: Replicas) -> None:
    """The first ones wait for WORKER_PATIENCE; then nothing is sent, until a health check has seen one again."""
    worker = await replicas.add()
    worker.predictor = head(SPACE)
    async with WorkerClient(f"http://worker:{replicas.port}", 0.2) as client:
        await client.refresh()
        worker.predictor = None
        with pytest.raises(NoPredictor, match="PREDICTOR"):
            await predicted(client)
        with pytest.raises(NoPredictor):
            await client.predictors.require()
        worker.predictor = head(SPACE)
        await client.refresh()
        assert labels(await predicted(client)) == LABELS


async def test_after_a_roll_back_nothing_is_sent_for_documents(replicas: Replicas) -> None:
    """Once there is no waiting for it, that there was one is forgotten; a new one is found at once."""
    worker = await replicas.add()
    worker.predictor = head(SPACE)
    async with WorkerClient(f"http://worker:{replicas.port}", patience=0) as client:
        assert labels(await predicted(client, waits=False)) == LABELS
        worker.predictor = None
        with pytest.raises(NoPredictor):
            await predicted(client, waits=False)
        sent = len(worker.predicted)
        for _ in range(3):
            with pytest.raises(NoPredictor):
                await predicted(client, waits=False)
        assert len(worker.predicted) == sent
        worker.predictor = head(SPACE)
        assert labels(await predicted(client, waits=False)) == LABELS


async def test_documents_that_find_none_do_not_end_the_patience_of_others(replicas: Replicas) -> None:
    """While its worker restarts, a call that waits does so, whoever has missed it first."""
    _, has = await replicas.add(), await replicas.add()
    has.predictor = head(SPACE)
    async with WorkerClient(f"http://worker:{replicas.port}", LONG) as client:
        assert labels(await predicted(client)) == LABELS
        has.starting = True
        with pytest.raises(NoPredictor):
            await predicted(client, waits=False)
        waits = asyncio.create_task(predicted(client))
        await until_async(lambda: client.predictors.patience.away)
        has.starting = False
        assert labels(await waits) == LABELS


async def test_two_heads_are_never_mixed(replicas: Replicas, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that takes several portions, while one head replaces another of the same name, is answered by one."""
    monkeypatch.setattr(prediction, "VALUES", 1)  # each row is a portion
    for name in ("old", "new"):
        (await replicas.add()).predictor = head(SPACE, sha256=name)
    async with WorkerClient(f"http://worker:{replicas.port}") as client:
        found = [await predicted(client) for _ in range(6)]
    assert {each.fingerprint for each in found} == {"old", "new"}
    assert [labels(each) for each in found] == [LABELS] * 6


async def test_a_head_that_changes_all_the_time_is_a_typed_error(
    standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call begins once more, and is refused when the next portion is by another one again."""
    monkeypatch.setattr(prediction, "VALUES", 1)

    async def change(_: web.Request, __: object) -> None:
        standin.predictor = head("fp-1", sha256=str(len(standin.predicted)))

    standin.before_predict = change
    async with WorkerClient(standin.url) as client:
        with pytest.raises(DependencyUnavailable, match="it changed during the call"):
            await predicted(client, space="fp-1")


async def test_vectors_are_divided_by_their_size() -> None:
    """256 of 384 numbers are one call, as many of 4,096 are several, each below the limits of a body."""
    for numbers, calls in ((384, 1), (1024, 2), (4096, 6)):
        vectors = [Embedding(1, bytes(4 * numbers))] * 256
        assert len(list(prediction.divided(vectors))) == calls


@pytest.fixture
async def standin() -> AsyncIterator[StandIn]:
    """One worker, with a head."""
    made = StandIn()
    made.predictor = head("fp-1")
    async with made.running():
        yield made


async def test_a_failed_connection_is_tried_once_more(standin: StandIn) -> None:
    """As those of embeddings are."""
    standin.before_predict = cut(1)
    async with WorkerClient(standin.url) as client:
        assert labels(await predicted(client, space="fp-1")) == LABELS
        standin.before_predict = cut(9)
        with pytest.raises(DependencyUnavailable):
            await predicted(client, space="fp-1")


async def test_a_client_that_leaves_cancels_the_call(standin: StandIn) -> None:
    """The worker sees the connection close."""
    leaves = asyncio.Event()
    standin.before_predict = hold(asyncio.Event())
    async with WorkerClient(standin.url) as client:
        await client.refresh()
        asked = request(LONG, leaves)
        embedder = Embedder(asked, client, CacheUse(), new_flights())
        embedded = await embedder.embed(["a text"], Field("texts", "texts.{}"))
        call = asyncio.create_task(classify(asked, embedder, embedded, None))
        await until_async(lambda: standin.predicted)
        leaves.set()
        with pytest.raises(ClientGone):
            await call
        await until_async(lambda: standin.cancelled == 1)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"predictions": ["long"], "model": "m", "fingerprint": "f", "space": SPACE, "classes": ["long"]},
        {"predictions": LABELS, "model": "m", "fingerprint": "f", "space": "fp-1", "classes": ["other"]},
        {
            "predictions": LABELS,
            "model": "m",
            "fingerprint": "f",
            "space": "fp-1",
            "classes": ["long", "short"],
            "probabilities": [[1.0]] * 3,
        },
    ],
)
async def test_a_spoilt_answer_is_not_served(standin: StandIn, answer: dict[str, object]) -> None:
    """Of another form, for other rows, with a label that is no class, or with other probabilities: a typed 503."""

    async def spoilt(_: web.Request, __: object) -> web.StreamResponse:
        return web.json_response(answer)

    standin.before_predict = spoilt
    async with WorkerClient(standin.url) as client:
        with pytest.raises(DependencyUnavailable, match="worker is unavailable: it"):
            await predicted(client, space="fp-1")


async def test_nobody_listening_is_waited_for() -> None:
    """As for an embedding: a single worker that restarts is away, and has not lost its head."""
    port = free_ports()["worker"]
    async with WorkerClient(f"http://127.0.0.1:{port}", LONG) as client:
        await client.predictors.require()
        waits = asyncio.create_task(predicted(client, space="fp-1"))
        await until_async(lambda: client.patience.away)
        worker = StandIn()
        worker.predictor = head("fp-1")
        async with worker.running(port):
            assert labels(await waits) == LABELS
