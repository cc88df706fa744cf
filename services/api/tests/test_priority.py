"""Each route's calls wait at the worker in the lane of their kind, unless `X-Priority` says otherwise."""

import uuid
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.api.tests.conftest import MODEL
from stack import EmbeddedStack

HEADER = "X-Priority"
ROUTES = ["/v1/embeddings", "/v1/search", "/v1/documents", "/v1/classify"]


def body(route: str, text: str) -> dict[str, Any]:
    """A small call of this text."""
    bodies: dict[str, dict[str, Any]] = {
        "/v1/embeddings": {"model": MODEL, "input": text},
        "/v1/search": {"query": text},
        "/v1/documents": {"documents": [{"id": "priority", "text": text}]},
        "/v1/classify": {"texts": [text]},
    }
    return bodies[route]


def waited(stack: EmbeddedStack) -> dict[str, float]:
    """How many requests have left each lane of the worker."""
    text = httpx2.get(f"{stack.url('worker')}/metrics", trust_env=False).text
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    return {each.labels["lane"]: each.value for each in samples if each.name == "worker_queue_seconds_count"}


@pytest.mark.parametrize(
    ("route", "own"), [("/v1/embeddings", "interactive"), ("/v1/search", "interactive"), ("/v1/documents", "bulk")]
)
@pytest.mark.parametrize("asked", [None, "interactive", "bulk"])
def test_the_lane_of_a_call(stack: EmbeddedStack, http: httpx2.Client, route: str, own: str, asked: str | None) -> None:
    """Documents are bulk, searches and small calls interactive; the header overrides in both directions."""
    before = waited(stack)
    answer = http.post(route, json=body(route, uuid.uuid4().hex), headers={HEADER: asked} if asked else {})
    assert answer.status_code == 200, answer.text
    after = waited(stack)
    assert [lane for lane in after if after[lane] > before.get(lane, 0)] == [asked or own]


@pytest.mark.parametrize("route", ROUTES)
def test_another_priority_is_refused(http: httpx2.Client, route: str) -> None:
    """400 with the header's name and what it may be."""
    answer = http.post(route, json=body(route, "a"), headers={HEADER: "urgent"})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["param"], error["message"]) == (HEADER, "X-Priority must be interactive or bulk")


def test_the_header_is_documented(http: httpx2.Client) -> None:
    """On the routes that embed, with its values."""
    paths = http.get("/openapi.json").json()["paths"]
    named = {
        path: parameter["schema"]["enum"]
        for path, operations in paths.items()
        for operation in operations.values()
        for parameter in operation.get("parameters", ())
        if parameter["name"] == HEADER
    }
    assert named == {path: ["interactive", "bulk"] for path in ROUTES}
