"""Prompts: a call names one, and the model sees it before each text."""

from collections.abc import Iterator

import numpy as np
import pytest
from fastapi.testclient import TestClient

from contract.prompts import NO_PROMPTS, Prompts
from services.worker.tests.stand_ins import RecordingEngine
from worker.app import create_app
from worker.engines.fake import FakeEngine
from worker.loading import Loaded
from worker.resources import model_resource
from worker.settings import WorkerSettings

PROMPTS = Prompts(texts={"query": "find me: ", "passage": "read this: ", "sort": "sort these: "}, default="sort")


def client(prompts: Prompts, engine: RecordingEngine) -> TestClient:
    """A worker whose model has these prompts."""
    resource = model_resource(lambda _: Loaded(engine, "prompted", "0" * 64, prompts=prompts))
    return TestClient(create_app(WorkerSettings(warmup_passes=False, drain_seconds=0), [resource]))


@pytest.fixture
def worker() -> Iterator[TestClient]:
    """Of a model with prompts."""
    with client(PROMPTS, RecordingEngine()) as entered:
        yield entered


@pytest.mark.parametrize(
    ("named", "seen"),
    [
        ({}, "sort these: a text"),
        ({"prompt": None}, "sort these: a text"),
        ({"prompt": "query"}, "find me: a text"),
        ({"prompt": "document"}, "read this: a text"),
        ({"prompt": "none"}, "a text"),
    ],
)
def test_the_model_sees_the_named_prompt_or_its_default(
    worker: TestClient, named: dict[str, str | None], seen: str
) -> None:
    """Vector and token count are those of prompt and text together."""
    answer = worker.post("/embeddings/", json={"texts": ["a text"], **named}).json()
    ids = FakeEngine().encode([seen])
    np.testing.assert_allclose(answer["embeddings"], FakeEngine().embed(ids), rtol=1e-6)
    assert answer["prompt_tokens"] == len(ids[0])


def test_an_unknown_prompt_is_refused_with_the_known_ones(worker: TestClient) -> None:
    """Nothing was computed for it."""
    answer = worker.post("/embeddings/", json={"texts": ["a"], "prompt": "nosuch"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "prompt")
    assert "none of that name, but query, document, none, passage, sort" in answer.json()["error"]["message"]


def test_no_prompt_goes_before_token_ids(worker: TestClient) -> None:
    """Its tokens before those of a text are not the tokens of both."""
    answer = worker.post("/embeddings/", json={"token_ids": [[2000, 2001]], "prompt": "query"}).json()
    assert answer["prompt_tokens"] == 4


def test_a_text_may_be_as_long_as_without_a_prompt(worker: TestClient) -> None:
    """The limit is of what the caller sends."""
    assert worker.post("/embeddings/", json={"texts": ["x" * 20_000], "prompt": "query"}).status_code == 200


def test_the_model_tells_its_prompts(worker: TestClient) -> None:
    """`GET /model` has their names and texts, and a model without any has none."""
    assert worker.get("/model").json()["prompts"] == PROMPTS.model_dump()
    with client(NO_PROMPTS, RecordingEngine()) as other:
        assert other.get("/model").json()["prompts"] == {"texts": {}, "default": None}
