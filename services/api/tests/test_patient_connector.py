"""A Postgres that restarts is waited for where a connection is made, and one that stays away is not."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from api.app import create_app
from api.patient_connector import PatientConnector
from api.postgres_connection import Connector
from api.resources import POSTGRES
from services.api.tests.conftest import Settings
from stack import EmbeddedStack, until
from warmstart import Lifecycle
from warmstart.errors import DependencyUnavailable

REQUESTS = 5  # fewer than the pool has connections


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """One a request."""
    with ThreadPoolExecutor(REQUESTS) as pool:
        yield pool


def away(app: FastAPI) -> str | None:
    """Why requests wait."""
    lifecycle: Lifecycle = app.state.lifecycle
    database = lifecycle.held(POSTGRES)
    assert database
    return database.patience.away


def read(client: TestClient) -> httpx2.Response:
    """Read a document that is not there."""
    return client.get("/v1/documents/absent")


def test_requests_wait_for_a_restart(stack: EmbeddedStack, settings: Settings, threads: ThreadPoolExecutor) -> None:
    """Requests that come while Postgres is stopped are answered when it has started again."""
    app = create_app(settings(database_patience=60))
    with TestClient(app) as client:
        assert read(client).status_code == 404
        stack.stop("postgres")
        try:
            waiting: list[Future[httpx2.Response]] = [threads.submit(read, client) for _ in range(REQUESTS)]
            until(lambda: away(app), 10, "a request that waits")
        finally:
            stack.start("postgres")
        assert {each.result().status_code for each in waiting} == {404}


@pytest.mark.parametrize("patience", [0, 0.1])
def test_nobody_waits_longer(stack: EmbeddedStack, settings: Settings, patience: float) -> None:
    """A Postgres that stays away costs a typed 503, and is used again when a health sample has seen it."""
    with TestClient(create_app(settings(database_patience=patience))) as client:
        assert read(client).status_code == 404
        stack.stop("postgres")
        try:
            refused = [read(client) for _ in range(REQUESTS)]
        finally:
            stack.start("postgres")
        assert {each.status_code for each in refused} == {503}
        assert {each.json()["error"]["code"] for each in refused} == {"dependency_unavailable"}
        until(lambda: read(client).status_code == 404, 10, "an answer")


@pytest.mark.parametrize(("setting", "name"), [("database_url", "postgres"), ("search_database_url", "replica")])
def test_calls_that_find_one_away_count_under_its_name(settings: Settings, setting: str, name: str) -> None:
    """A replica that is away is no absence of Postgres itself."""

    def refused() -> dict[str, float | None]:
        labels = [{"dependency": each, "result": "refused"} for each in ("postgres", "replica")]
        return {each["dependency"]: REGISTRY.get_sample_value("api_waits_total", each) for each in labels}

    connector = PatientConnector(settings(**{setting: "postgresql://x:x@127.0.0.1:1/x"}), setting, 0)
    before = refused()
    with pytest.raises(DependencyUnavailable, match=f"{name} is unavailable: "):
        asyncio.run(connector())
    assert {each for each, number in refused().items() if number != before[each]} == {name}


@pytest.mark.anyio
async def test_a_sample_that_goes_well_does_not_lengthen_the_wait(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where open connections go on and no new ones are made, a call waits once, and is refused."""

    async def refused(_: Connector) -> asyncpg.Connection:
        raise ConnectionRefusedError("nobody listens")

    monkeypatch.setattr(Connector, "__call__", refused)
    connector = PatientConnector(settings(), "database_url", 0.2)

    async def sample() -> None:
        while True:
            await asyncio.sleep(0.05)
            connector.patience.back()

    sampling = asyncio.create_task(sample())
    try:
        async with asyncio.timeout(10):
            with pytest.raises(DependencyUnavailable, match="nobody listens"):
                await connector()
    finally:
        sampling.cancel()
        await connector.patience.close()
