"""Who the worker answers; that the api sends it the secret is tested there (test_worker_secret.py)."""

import logging
from typing import Literal

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Mount

from worker.app import create_app
from worker.settings import WorkerSettings


def test_a_prefix_opens_nothing() -> None:
    """Below `/x`, as `--root-path` or a mount has it, who lacks the secret gets nothing but probes."""
    app = create_app(WorkerSettings(worker_secret=SecretStr("one"), engine="fake"))
    for client in (TestClient(app, root_path="/x"), TestClient(Starlette(routes=[Mount("/x", app)]))):
        assert client.post("/x/embeddings/", json={"texts": ["a"]}).status_code == 401
        assert client.get("/x/livez").status_code == 200


@pytest.mark.parametrize(
    ("environment", "secret", "said"),
    [("production", None, 1), ("production", "one", 0), ("development", None, 0)],
)
def test_an_open_worker_in_production_says_so(
    environment: Literal["production", "development"],
    secret: str | None,
    said: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It starts, since a network policy may guard it, with a warning that names the setting."""
    settings = WorkerSettings(
        worker_secret=SecretStr(secret) if secret else None, environment=environment, engine="fake"
    )
    with caplog.at_level(logging.WARNING), TestClient(create_app(settings)):
        assert [each.levelname for each in caplog.records if "WORKER_SECRET" in each.message] == ["WARNING"] * said
