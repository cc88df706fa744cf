"""What the worker would refuse is refused before it is asked, by what it told of its model."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from api.worker_client import WorkerClient
from services.api.tests.helpers.standin import VOCABULARY, StandIn
from warmstart import Resource

WORKER = StandIn()
WORKER.max_text_characters = 10


@asynccontextmanager
async def open_worker(_: FastAPI) -> AsyncIterator[WorkerClient]:
    """A stand-in worker, and a client of it."""
    async with WORKER.running(), WorkerClient(WORKER.url) as client:
        await client.refresh()
        yield client


@asynccontextmanager
async def open_nothing(_: FastAPI) -> AsyncIterator[None]:
    """No text is known, and no model is being replaced."""
    yield None


@asynccontextmanager
async def open_no_database(_: FastAPI) -> AsyncIterator[SimpleNamespace]:
    """For routes that refuse before they use it."""
    yield SimpleNamespace(engine=None)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """The api on a worker that takes texts of ten characters."""
    settings = ApiSettings(token_ids=True, drain_seconds=0)
    absent = [Resource(name, open_nothing) for name in ("redis", "replacement")]
    parts = [Resource("worker", open_worker), Resource("postgres", open_no_database), *absent]
    with TestClient(create_app(settings, parts)) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "body", "field", "message"),
    [
        ("embeddings", {"input": "x" * 11}, "input", "has 11 characters; the limit is 10"),
        ("embeddings", {"input": ["x" * 10, "x" * 11]}, "input.1", "has 11 characters; the limit is 10"),
        ("documents", {"documents": [{"text": "x" * 11}]}, "documents.0.text", "has 11 characters; the limit is 10"),
        ("search", {"query": "x" * 11}, "query", "has 11 characters; the limit is 10"),
        ("embeddings", {"input": [1, VOCABULARY]}, "input.1", "is 30522; the largest id of the vocabulary is 30521"),
        ("embeddings", {"input": [[1], [2, VOCABULARY]]}, "input.1.1", "is 30522; the largest id of the vocabulary is"),
    ],
)
def test_the_worker_is_not_asked(client: TestClient, path: str, body: dict[str, Any], field: str, message: str) -> None:
    """A text or an id beyond the worker's limits is a 400 that names the caller's own field."""
    named = {"model": "stand-in"} if path == "embeddings" else {}
    answer = client.post(f"/v1/{path}", json={**body, **named})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)
    assert answer.json()["error"]["message"].startswith(f"{field} {message}")
    assert WORKER.calls == []


def test_what_is_within_the_limits_is_asked(client: TestClient) -> None:
    """The limits themselves are allowed."""
    for value in ("x" * 10, [1, VOCABULARY - 1]):
        answer = client.post("/v1/embeddings", json={"input": value, "model": "stand-in"})
        assert answer.status_code == 200
    assert WORKER.calls == [["x" * 10], [[1, VOCABULARY - 1]]]
