"""The api while its model is replaced: which workers embed, what is stored, and what /v1/models says."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, TypeVar

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from api import document_vectors
from api.app import create_app
from api.next_model import NextModel, check_next_model, open_next_model
from api.resources import POSTGRES, REPLICA
from api.settings import ApiSettings
from api.store import replacement
from api.worker_client import WorkerClient
from contract.model import ModelInfo
from services.api.tests.helpers.databases import own_database, shut
from services.api.tests.helpers.standin import StandIn, hold, refuse
from stack import EmbeddedStack, until
from warmstart import Resource

T = TypeVar("T")
OLD, NEW = "old", "new"


@pytest.mark.anyio
async def test_the_next_model_s_workers_are_waited_for_as_the_others() -> None:
    """After the cut-over, they alone serve searches: while they restart, requests wait for WORKER_PATIENCE."""
    app = FastAPI()
    app.state.settings, app.state.postgres = ApiSettings(worker_patience=7), SimpleNamespace(engine=None)
    async with open_next_model(app) as known:
        assert known.worker.patience.seconds == 7


class Service:
    """The api on two stand-ins for workers, of which the second one's model replaces the first one's."""

    def __init__(self, database: str, replica: str | None = None) -> None:
        self.database = database
        self.old, self.new = StandIn(), StandIn()
        self.old.name, self.old.space, self.old.fingerprint = "model-old", OLD, "fp-old"
        self.new.name, self.new.space, self.new.fingerprint = "model-new", NEW, "fp-new"
        resources: list[Resource[Any]] = [
            POSTGRES,
            Resource("worker", self._open),
            Resource("redis", self._nothing),
            Resource("replacement", self._open_next, check=check_next_model, after=("postgres",)),
        ]
        resources += [REPLICA] if replica else []
        settings = ApiSettings(database_url=database, search_database_url=replica, drain_seconds=0, health_interval=0.1)
        self.client = TestClient(create_app(settings, resources))

    @asynccontextmanager
    async def _open(self, _: FastAPI) -> AsyncIterator[WorkerClient]:
        async with self.old.running() as worker, WorkerClient(worker.url) as client:
            await client.refresh()
            yield client

    @asynccontextmanager
    async def _open_next(self, app: FastAPI) -> AsyncIterator[NextModel]:
        async with self.new.running() as worker, WorkerClient(worker.url) as client:
            yield NextModel(app.state.postgres.engine, client)

    @asynccontextmanager
    async def _nothing(self, _: FastAPI) -> AsyncIterator[None]:
        yield None

    def step(self, work: Callable[[AsyncEngine], Coroutine[Any, Any, T]]) -> T:
        """A step of the job, which is another process."""

        async def run() -> T:
            engine = create_async_engine(self.database)
            try:
                return await work(engine)
            finally:
                await engine.dispose()

        return asyncio.run(run())

    def described(self) -> list[ModelInfo]:
        """Both models, the old one first."""
        return [ModelInfo.model_validate(each.description()) for each in (self.old, self.new)]

    def begin(self) -> None:
        """Begin the replacement, and wait until the api knows of it."""
        self.step(lambda engine: replacement.begin(engine, *self.described()))
        until(lambda: len(self.models()) == 2, 20, "both models")

    def serve(self, space: str) -> int:
        """Let searches use a space, which the api finds out by itself."""
        return self.step(lambda engine: replacement.serve(engine, space))

    def models(self) -> dict[str, tuple[str, float | None]]:
        """Status and progress by name."""
        listed = self.client.get("/v1/models").json()["data"]
        return {each["id"]: (each["status"], each["progress"]) for each in listed}

    def store(self, name: str) -> httpx2.Response:
        """Store a document whose text is its name."""
        return self.client.post("/v1/documents", json={"documents": [{"id": name, "text": name}]})

    def found(self, query: str = "q") -> list[str]:
        """Ids of what a search finds."""
        answer = self.client.post("/v1/search", json={"query": query})
        assert answer.status_code == 200, answer.text
        return sorted(each["id"] for each in answer.json()["results"])

    def missing(self, space: str) -> int:
        """How many documents lack a vector there."""
        return self.step(lambda engine: replacement.count(engine, space))[0]


@pytest.fixture
def service(stack: EmbeddedStack) -> Iterator[Service]:
    """A service with a database of its own."""
    with own_database(stack.url("postgres")) as own:
        made = Service(own)
        with made.client:
            yield made


def test_the_next_model_s_workers_are_not_called_before(service: Service) -> None:
    """Without a replacement there may be none: one model is listed, and it alone embeds."""
    assert service.store("a").status_code == 200
    assert service.found() == ["a"]
    assert service.models() == {"model-old": ("serving", None)}
    assert service.new.calls == []


def test_documents_are_embedded_for_both_and_searches_by_the_one_that_serves(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forward and back, from the next request on; a cut-over in between costs the process one more embedding."""
    monkeypatch.setattr(document_vectors, "LATER", 15)  # seconds: on a busy machine the other model takes longer
    service.begin()
    assert service.models() == {"model-old": ("serving", None), "model-new": ("next", None)}
    assert service.store("a").status_code == 200
    assert (service.missing(OLD), service.missing(NEW)) == (0, 0)
    service.new.calls.clear()
    assert service.found("before") == ["a"]
    assert service.new.calls == []
    for space, used, unused in ((NEW, service.new, service.old), (OLD, service.old, service.new)):
        assert service.serve(space) == 0
        assert service.found(f"first in {space}") == ["a"]
        unused.calls.clear()
        assert service.found(f"second in {space}") == ["a"]
        assert unused.calls == []
        assert used.calls[-1] == [f"second in {space}"]
        assert service.store(f"in-{space}").status_code == 200
        assert (service.missing(OLD), service.missing(NEW)) == (0, 0)
        assert service.client.delete(f"/v1/documents/in-{space}").status_code == 204


def test_the_list_of_models_says_how_far_it_is(service: Service) -> None:
    """Next with the job's progress, then the old one as the previous one."""
    service.begin()
    service.step(lambda engine: replacement.note(engine, 1, 4))
    until(lambda: service.models()["model-new"] == ("next", 0.25), 20, "the progress")
    service.serve(NEW)
    until(lambda: service.models()["model-new"][0] == "serving", 20, "the new model")
    assert service.models()["model-old"] == ("previous", None)
    service.step(lambda engine: replacement.end(engine, NEW))
    until(lambda: len(service.models()) == 1, 20, "the end")


def test_embeddings_are_made_by_the_model_that_is_named(service: Service) -> None:
    """Both names work while both are there; another one is a 404 that names both."""
    service.begin()
    for name, worker in (("model-old", service.old), ("model-new", service.new)):
        answer = service.client.post("/v1/embeddings", json={"model": name, "input": name})
        assert answer.json()["model"] == name
        assert worker.calls[-1] == [name]
    answer = service.client.post("/v1/embeddings", json={"model": "neither", "input": "a"})
    assert answer.status_code == 404
    assert "has model-old and model-new only" in answer.json()["error"]["message"]


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_documents_are_stored_without_the_other_model(service: Service, how: str) -> None:
    """Whether it refuses or is slow: they are found at once, and the job's backfill has them left to do."""
    service.begin()
    service.new.before = refuse(500) if how == "refuses" else hold(asyncio.Event())
    assert service.store("a").status_code == 200
    assert service.found() == ["a"]
    assert (service.missing(OLD), service.missing(NEW)) == (0, 1)
    assert service.serve(NEW) == 1
    assert service.found("again") == ["a"]


def test_what_searches_use_must_be_served(service: Service) -> None:
    """When no worker has the model any more, searches and writers are a typed 503 that names it; then they go on."""
    service.begin()
    service.store("a")
    service.serve(NEW)
    assert service.found() == ["a"]
    service.new.space = "third"
    until(lambda: service.client.post("/v1/search", json={"query": "x"}).status_code == 503, 20, "the refusal")
    for answer in (service.client.post("/v1/search", json={"query": "y"}), service.store("b")):
        assert answer.status_code == 503
        assert "searches use model-new, which no worker serves" in answer.json()["error"]["message"]
    service.new.space = NEW
    until(lambda: service.store("b").status_code == 200, 20, "the recovery")
    assert service.found() == ["a", "b"]


@pytest.mark.parametrize("begun", [True, False])
def test_a_replica_that_is_behind_is_not_searched(stack: EmbeddedStack, begun: bool) -> None:
    """Whether it knows the replacement but not the cut-over, or neither: Postgres itself is searched meanwhile."""
    with own_database(stack.url("postgres")) as own, own_database(stack.url("postgres")) as replica:
        service = Service(own, replica)
        with service.client:
            service.begin()
            if begun:
                Service(replica).step(lambda engine: replacement.begin(engine, *service.described()))
            assert service.store("a").status_code == 200
            assert service.found() == ([] if begun else ["a"])
            service.serve(NEW)
            until(lambda: service.models()["model-new"][0] == "serving", 20, "the cut-over, in this process")
            assert service.found("later") == ["a"]


@pytest.mark.parametrize("finished", [False, True])
def test_a_replica_that_does_not_know_the_space_is_not_searched(stack: EmbeddedStack, finished: bool) -> None:
    """It would find nothing. While Postgres itself is away, too, that is an error and no empty list of results."""
    with own_database(stack.url("postgres")) as own, own_database(stack.url("postgres")) as replica:
        service = Service(own, replica)
        with service.client:
            service.begin()
            assert service.store("a").status_code == 200
            service.serve(NEW)
            if finished:
                service.step(lambda engine: replacement.end(engine, NEW))
                service.old.name, service.old.space, service.old.fingerprint = "model-new", NEW, "fp-new"
                until(lambda: len(service.models()) == 1, 20, "the end, in this process")
            assert service.found() == ["a"]
            with shut(own):
                until(lambda: "[-]postgres failed" in service.client.get("/readyz?verbose").text, 20, "the sample")
                refused = service.client.post("/v1/search", json={"query": "later"})
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "dependency_unavailable")
            assert "replica is unavailable: it knows no documents of this model" in refused.json()["error"]["message"]
