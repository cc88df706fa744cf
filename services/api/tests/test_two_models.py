"""Workers of two models behind one name, as in a rolling update: calls find those of the model that they want."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from api.embedder import CacheUse, Embedder
from api.embedding import Field
from api.flights import new_flights
from api.reindex.embedding import Embedder as ReindexEmbedder
from api.reindex.outage import Outage
from api.reindex.output import Output
from api.reindex.skipped import Skipped
from api.reindex.workers import Workers
from api.store.backfill import Found
from api.worker_client import WorkerClient
from contract.prompts import Prompts
from services.api.tests.helpers.replicas import COLD, named
from services.api.tests.helpers.requests import request
from services.api.tests.helpers.standin import StandIn, refuse

pytestmark = pytest.mark.anyio

CALLS = 10
LONG = 60.0  # seconds
NOT_KNOWN = refuse(400, param="prompt", code="extra_forbidden", message="prompt: Extra inputs are not permitted")


class Mixed(NamedTuple):
    """A worker of each model, and a client that has just heard of the new one."""

    old: StandIn
    new: StandIn
    client: WorkerClient

    async def embed(self, text: str, prompt: str | None = None) -> str:
        """Embed a new text; returns the space of its vector."""
        embedder = Embedder(request(LONG), self.client, CacheUse(), new_flights())
        return (await embedder.embed([text], Field("input", "input"), prompt=prompt)).model.space


@pytest.fixture
async def mixed(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Mixed]:
    """Both are idle."""
    async with named(monkeypatch) as replicas, WorkerClient(f"http://worker:{replicas.port}") as client:
        old, new = await replicas.add(), await replicas.add()
        old.space, new.space = "old", "new"
        new.prompts = Prompts(texts={"query": "find: "})
        while not client.described or client.model.space != "new":
            await client.refresh()
        yield Mixed(old, new, client)


async def test_every_call_is_answered_in_the_space_that_the_api_knows(mixed: Mixed) -> None:
    """One at a time, a call always goes to the worker that did not have the last one."""
    assert [await mixed.embed(f"text {number}") for number in range(CALLS)] == ["new"] * CALLS
    assert mixed.old.calls


async def test_a_worker_that_does_not_know_the_prompt_is_passed_over(mixed: Mixed) -> None:
    """Only the new model has it."""
    mixed.old.before = NOT_KNOWN
    assert [await mixed.embed(f"text {number}", "query") for number in range(CALLS)] == ["new"] * CALLS
    assert mixed.old.calls


async def test_the_other_model_answers_while_the_known_one_starts(mixed: Mixed) -> None:
    """No call waits for a worker of the known model where another one is ready."""
    mixed.new.before, mixed.new.starting = COLD, True
    assert await mixed.embed("a text") == "old"


class Job(NamedTuple):
    """The reindex job's embedder for the new model."""

    embedder: ReindexEmbedder

    async def embed(self, *ids: str) -> list[str]:
        """Embed a document of each id, one after the other; returns the ids of those that have a vector."""
        async with asyncio.timeout(LONG):
            return [found.id for each in ids for found, _ in await self.embedder.embed([Found(each, f"text {each}")])]


@pytest.fixture
async def job(mixed: Mixed) -> AsyncIterator[Job]:
    """It has called no worker yet; nobody is at `NEXT_WORKER_URL`."""
    async with WorkerClient("http://127.0.0.1:1") as following:
        workers = Workers(("worker", mixed.client), ("worker-next", following))
        outage = Outage(Output(io.StringIO()))
        about: dict[str, Any] = {"space": "new", "name": "new", "prompt": "query", "seconds": LONG}
        yield Job(ReindexEmbedder(workers=workers, skipped=Skipped(), outage=outage, **about))


async def test_the_reindex_job_embeds_while_both_models_run(mixed: Mixed, job: Job) -> None:
    """It passes the worker of the other model over."""
    ids = [f"d{number}" for number in range(CALLS)]
    assert await job.embed(*ids) == ids
    assert mixed.old.calls


async def test_the_reindex_job_uses_the_prompt_of_its_model(mixed: Mixed, job: Job) -> None:
    """Also after a look that met the worker of the other one, which has no prompts."""
    await job.embed("d1")
    while mixed.client.model.space != "old":
        await mixed.client.refresh()
    assert await job.embed("d2") == ["d2"]
    assert set(mixed.new.asked_prompts) == {"query"}
