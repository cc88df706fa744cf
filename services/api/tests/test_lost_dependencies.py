"""A lost dependency takes only its own routes along, as a typed 503, and they heal without a restart."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx2
import pytest
from fastapi.testclient import TestClient

from services.api.tests.conftest import MODEL, SHORT, Start
from stack import EmbeddedStack, Part, until


@pytest.fixture
def client(start: Start) -> TestClient:
    """An api of the test's own."""
    return start()


def embed(client: TestClient) -> httpx2.Response:
    """Embed a text that nobody has seen before."""
    return client.post("/v1/embeddings", json={"input": uuid4().hex, "model": MODEL})


def search(client: TestClient) -> httpx2.Response:
    """Search for a new text."""
    return client.post("/v1/search", json={"query": uuid4().hex})


def read(client: TestClient) -> httpx2.Response:
    """Read a document that is not there."""
    return client.get("/v1/documents/absent")


@contextmanager
def lost(stack: EmbeddedStack, part: Part, how: str) -> Iterator[None]:
    """The part is paused, or stopped, inside."""
    if how == "paused":
        stack.pause(part)
    else:
        stack.stop(part)
    try:
        yield
    finally:
        if how == "paused":
            stack.resume(part)
        else:
            stack.start(part)


def answers(call: Callable[[TestClient], httpx2.Response], client: TestClient, status: int) -> httpx2.Response:
    """The first answer with this status. Raises StackError when there is none soon."""

    def attempt() -> httpx2.Response:
        answer = call(client)
        if answer.status_code != status:
            raise ValueError(f"{answer.status_code} {answer.text}")
        return answer

    return until(attempt, 20, f"an answer with status {status}")


def computed(answer: httpx2.Response) -> str:
    """For how many milliseconds the worker computed; none for a text that the cache knows."""
    return answer.headers["Server-Timing"].partition("inference;dur=")[2]


@pytest.mark.parametrize("how", ["paused", "stopped"])
def test_postgres_lost(stack: EmbeddedStack, client: TestClient, how: str) -> None:
    """Searching and reading are 503 with the reason; embedding goes on, ready; then all is well again."""
    with lost(stack, "postgres", how):
        refused = answers(search, client, 503)
        assert refused.json()["error"]["code"] == "dependency_unavailable"
        assert "postgres" in refused.json()["error"]["message"]
        assert refused.headers["Retry-After"] == "1"
        assert answers(read, client, 503).json()["error"]["code"] == "dependency_unavailable"
        assert embed(client).status_code == 200
        assert client.get("/readyz").status_code == 200
    answers(search, client, 200)
    answers(read, client, 404)


@pytest.mark.parametrize("how", ["paused", "stopped"])
def test_the_worker_lost(stack: EmbeddedStack, client: TestClient, how: str) -> None:
    """New texts are 503 with the reason; known texts and documents are served; then all is well again."""
    known = {"input": "seen before the worker was lost", "model": MODEL}
    until(lambda: computed(client.post("/v1/embeddings", json=known)) == "0.000", 20, "a known text")
    with lost(stack, "worker", how):
        refused = answers(embed, client, 503)
        assert refused.json()["error"]["code"] == "dependency_unavailable"
        assert "worker" in refused.json()["error"]["message"]
        answers(search, client, 503)
        assert read(client).status_code == 404
        assert client.post("/v1/embeddings", json=known).status_code == 200
        assert client.get("/readyz").status_code == 200
    answers(embed, client, 200)


@pytest.mark.parametrize("how", ["paused", "stopped"])
def test_redis_lost(stack: EmbeddedStack, start: Start, how: str) -> None:
    """Nobody notices but the metrics: no call fails while Redis is away or after it is back."""
    client = start(cache_timeout=SHORT)
    with lost(stack, "valkey", how):
        statuses = [embed(client).status_code for _ in range(10)] + [search(client).status_code]
        until(lambda: "[-]redis" in client.get("/readyz?verbose").text, 10, "redis reported as lost")
    until(lambda: "[+]redis ok" in client.get("/readyz?verbose").text, 20, "redis back")
    assert set(statuses) == {200}
    assert embed(client).status_code == 200
