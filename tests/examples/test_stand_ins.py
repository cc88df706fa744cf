"""How a service's routes are tested with a stand-in for the model: without its lifespan, and with it."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient
from stand_ins import SlowModel
from step5_settings import Settings
from step5_whole import DATABASE, MODEL, create_app

from warmstart import opened


class FakeModel(SlowModel):
    """Says 42 to everything, at once."""

    def __init__(self) -> None:
        """Load nothing."""

    def predict(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """42 for each row."""
        return [42.0 for _ in rows]


def empty_database() -> sqlite3.Connection:
    """One with the table, in memory."""
    database = sqlite3.connect(":memory:", check_same_thread=False)
    database.execute("CREATE TABLE predictions (value REAL)")
    return database


def test_a_route_without_the_lifespan() -> None:
    """Without `with` nothing is opened: a route gets what overrides its dependencies, as in any FastAPI application."""
    app = create_app(Settings())
    app.dependency_overrides[opened(MODEL)] = FakeModel
    app.dependency_overrides[opened(DATABASE)] = empty_database
    assert TestClient(app).post("/predict", json=[1, 2]).json() == 42


@asynccontextmanager
async def open_fake(app: FastAPI) -> AsyncIterator[SlowModel]:
    """What opens instead of the model."""
    yield FakeModel()


def test_the_service_with_its_lifespan(tmp_path: Path) -> None:
    """With `with` the lifecycle runs, and returns when the service is ready: here with a real database."""
    app = create_app(Settings(database=tmp_path / "predictions.db"), replace(MODEL, open=open_fake))
    with TestClient(app) as client:
        assert client.post("/predict", json=[1, 2]).json() == 42
        assert client.get("/admin/count").json() == 1
        assert client.get("/readyz").text == "ok"
