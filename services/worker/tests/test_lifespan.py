"""The worker's lifespan ends in readiness or says why not, and a dead batch loop fails the process."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.worker.tests.stand_ins import LIMIT, serving
from stack import until
from warmstart.lifecycle.lifespan import StartFailed
from worker.app import create_app
from worker.engines.base import TokenIds, Vectors
from worker.engines.fake import FakeEngine
from worker.settings import WorkerSettings


class Panic(BaseException):
    """As panics in Rust extensions are: no Exception."""


class PanickingEngine(FakeEngine):
    """Loads, but panics when it is used."""

    def embed(self, batch: Sequence[TokenIds]) -> Vectors:
        """Panic."""
        raise Panic(f"at {len(batch)} texts")


def test_the_fake_engine_needs_no_model(tmp_path: Path) -> None:
    """ENGINE=fake is ready and serves without looking for EMBEDDING_MODEL."""
    settings = WorkerSettings(engine="fake", embedding_model=str(tmp_path / "nowhere"), drain_seconds=0)
    with TestClient(create_app(settings)) as client:
        assert client.get("/readyz").status_code == 200
        assert client.get("/model").json()["engine"] == "fake"
        assert len(client.post("/embeddings/", json={"texts": ["a"]}).json()["embeddings"][0]) == 384


def test_a_model_that_can_not_be_had_fails_the_start_at_once() -> None:
    """The reason is in the error, after one attempt."""
    with (
        pytest.raises(StartFailed, match=r"no/such/model is neither a folder .*\(attempt 1\)"),
        TestClient(create_app(WorkerSettings(embedding_model="no/such/model"))),
    ):
        pass


def test_a_dead_batch_loop_fails_the_process() -> None:
    """Its callers get a typed 503, the process is `failed` and unready, and later callers don't wait."""
    with serving(PanickingEngine()) as client:
        assert isinstance(client.app, FastAPI)
        lifecycle = client.app.state.lifecycle
        for _ in range(2):
            answer = client.post("/embeddings/", json={"texts": ["a"]})
            assert (answer.status_code, answer.json()["error"]["type"]) == (503, "unavailable_error")
        until(lambda: lifecycle.phase == "failed", LIMIT, "the process is failed")
        assert client.get("/readyz").status_code == 503
