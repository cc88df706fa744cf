"""The app as a whole: its page, its swapped resources, its settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import ValidationError

from api.app import create_app
from api.resources import POSTGRES
from api.settings import ApiSettings
from api.worker_client import WorkerClient
from services.api.tests.conftest import Settings
from services.api.tests.helpers.databases import own_database
from services.api.tests.helpers.standin import StandIn
from stack import EmbeddedStack
from warmstart import Resource


@asynccontextmanager
async def open_standin(_: FastAPI) -> AsyncIterator[WorkerClient]:
    """A stand-in worker, and a client of it."""
    async with StandIn().running() as worker, WorkerClient(worker.url) as client:
        await client.refresh()
        yield client


@asynccontextmanager
async def open_nothing(_: FastAPI) -> AsyncIterator[None]:
    """For routes that the test does not call."""
    yield None


SWAPPED = [
    Resource("worker", open_standin),
    Resource("redis", open_nothing),
    Resource("replacement", open_nothing),
    Resource("postgres", open_nothing),
]


def test_resources_are_swapped_in_one_line() -> None:
    """Without Postgres, Redis and worker the real lifespan runs, and the route answers by the stand-in."""
    with TestClient(create_app(resources=SWAPPED)) as client:
        answer = client.post("/v1/embeddings", json={"input": "four", "model": "stand-in"})
    assert answer.json()["data"][0]["embedding"] == [4, 0, 0, 0]


def test_vectors_of_another_size_are_stored_and_found(stack: EmbeddedStack, settings: Settings) -> None:
    """Beside documents of 384 dimensions, a model of 4 stores its own, and finds those alone."""
    resources = [POSTGRES, *(each for each in SWAPPED if each.name != "postgres")]
    with own_database(stack.url("postgres")) as own:
        with TestClient(create_app(settings(database_url=own))) as client:
            assert client.post("/v1/documents", json={"documents": [{"id": "large", "text": "a"}]}).status_code == 200
        with TestClient(create_app(settings(database_url=own), resources)) as client:
            assert client.post("/v1/search", json={"query": "a"}).json() == {"results": []}
            assert client.post("/v1/documents", json={"documents": [{"id": "small", "text": "a"}]}).status_code == 200
            found = client.post("/v1/search", json={"query": "a"}).json()["results"]
            assert [(each["id"], each["score"]) for each in found] == [("small", 1)]
            assert client.get("/v1/documents/large").status_code == 200


def test_a_bad_quota_is_refused_at_start() -> None:
    """A quota that can't be read is a bad setting, not an error of the first request."""
    with pytest.raises(ValidationError, match="quota"):
        ApiSettings(quota="lots")


def test_every_setting_is_described() -> None:
    """The table in the docs is made from these descriptions."""
    assert [name for name, field in ApiSettings.model_fields.items() if not field.description] == []


def test_secrets_do_not_print() -> None:
    """Neither the settings nor their parts show a password or a key."""
    settings = ApiSettings(
        database_url="postgresql+asyncpg://u:pa55word@h/d",
        redis_url="redis://:pa55word@h",
        api_keys="pa55word",
    )
    assert "pa55word" not in repr(settings)
    assert "pa55word" not in repr(settings.keys())
