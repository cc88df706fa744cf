"""Which prompt `/v1/embeddings` asks the worker for: by header, by `input_type`, or the model's default."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from aiohttp import web
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from api.worker_client import WorkerClient
from contract.prompts import NO_PROMPTS, Prompts
from services.api.tests.helpers.standin import StandIn
from warmstart import Resource

PROMPTS = Prompts(texts={"query": "find: ", "document": "read: ", "sort": "sort: "}, default="sort")


class Service:
    """The api, without stores, on a stand-in worker whose model has these prompts."""

    def __init__(self, prompts: Prompts) -> None:
        self.worker = StandIn()
        self.worker.prompts = prompts
        resources = [
            Resource("worker", self._open),
            Resource("redis", self._nothing),
            Resource("replacement", self._nothing),
            Resource("postgres", self._nothing),
        ]
        self.client = TestClient(create_app(ApiSettings(token_ids=True), resources))

    @asynccontextmanager
    async def _open(self, _: FastAPI) -> AsyncIterator[WorkerClient]:
        async with self.worker.running() as worker, WorkerClient(worker.url) as client:
            await client.refresh()
            yield client

    @asynccontextmanager
    async def _nothing(self, _: FastAPI) -> AsyncIterator[SimpleNamespace | None]:
        yield None

    def embed(self, content: Any, header: str | None = None, **fields: Any) -> httpx2.Response:
        """One call."""
        body = {"input": content, "model": "stand-in", **fields}
        headers = {} if header is None else {"X-Prompt": header}
        return self.client.post("/v1/embeddings", json=body, headers=headers)


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """On a model with prompts, or with those that the test names."""
    made = Service(getattr(request, "param", PROMPTS))
    with made.client:
        yield made


ASKED: list[tuple[str | None, dict[str, Any], str | None]] = [
    (None, {}, None),
    ("query", {}, "query"),
    ("none", {}, "none"),
    ("sort", {}, "sort"),
    (None, {"input_type": "search_document"}, "document"),
    (None, {"input_type": "passage"}, "document"),
    (None, {"input_type": "sort"}, "sort"),
    ("document", {"input_type": "query"}, "document"),
    (None, {"input_type": "classification"}, None),
    (None, {"input_type": ["query"]}, None),
]


@pytest.mark.parametrize(("header", "fields", "asked"), ASKED)
def test_the_header_or_else_the_input_type_names_the_prompt(
    service: Service, header: str | None, fields: dict[str, Any], asked: str | None
) -> None:
    """An `input_type` that says nothing to this model is ignored, as a foreign field is."""
    assert service.embed("a", header, **fields).status_code == 200
    assert service.worker.asked_prompts == [asked]


def test_a_prompt_that_the_model_does_not_have_is_refused(service: Service) -> None:
    """By the header's name, and with the names that it may have; the worker is not asked."""
    answer = service.embed("a", "nosuch")
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, "X-Prompt", "unknown_prompt")
    assert error["message"] == "X-Prompt: the model has none of that name, but query, document, none, sort"
    assert service.worker.calls == []


def test_no_prompt_goes_before_token_ids(service: Service) -> None:
    """One that is asked for is refused; the model's default is left out."""
    refused = service.embed([1, 2], "query")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "prompt_needs_texts")
    assert service.embed([1, 2]).status_code == 200


def test_one_text_behind_two_prompts_is_two_texts(service: Service) -> None:
    """The same prompt by another name is the same text; no more tokens are counted for a call than the worker says."""
    for header in ("sort", None, "query"):
        assert service.embed(["same", "same"], header).json()["usage"]["prompt_tokens"] == 2 * len("same")
    assert service.worker.calls == [["same"]] * 3


def test_the_estimate_of_a_call_counts_the_prompt(service: Service) -> None:
    """Before each of its texts: the worker refuses by that number."""
    service.embed(["a"] * 2 + ["b"], "none")
    service.embed(["a"] * 2 + ["b"], "query")
    without, behind = service.worker.call_tokens
    assert behind == without + 2 * (len("find: ") // 4)


@pytest.mark.parametrize("status", [200, 503])
def test_a_worker_that_does_not_know_the_prompt_is_asked_what_it_serves(service: Service, status: int) -> None:
    """It may be of a version without prompts, or have another model since: the call is made anew, once.

    Each time it is sent twice, since another worker may be behind the same address.
    """

    async def without_prompts(*_: object) -> web.Response | None:
        if status == 200:
            service.worker.prompts, service.worker.fingerprint = NO_PROMPTS, "fp-2"
        if service.worker.asked_prompts[-1] is None:
            return None
        error = {"message": "prompt: Extra inputs are not permitted", "param": "prompt", "code": "extra_forbidden"}
        return web.json_response({"error": {"type": "invalid_request_error", **error}}, status=400)

    service.worker.before = without_prompts
    assert service.embed("a", "query").status_code == status
    assert service.worker.asked_prompts == ["query"] * 2 + ([None] if status == 200 else ["query"] * 2)


@pytest.mark.parametrize("service", [NO_PROMPTS], indirect=True)
def test_a_model_without_prompts_is_asked_for_none(service: Service) -> None:
    """Queries and documents are as they are; the calls to its worker don't change."""
    for header in (None, "query", "document", "none"):
        assert service.embed("a", header).status_code == 200
    assert service.worker.asked_prompts == [None] * 4


def test_a_call_gets_no_vectors_of_another_model_than_it_names(service: Service) -> None:
    """A worker that turns to another model during the call, as at the end of a replacement, makes it a 503."""
    assert service.embed("a").status_code == 200
    service.worker.name, service.worker.fingerprint = "another", "fp-2"
    refused = service.embed("b")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "dependency_unavailable")
    assert service.embed("b").status_code == 404
