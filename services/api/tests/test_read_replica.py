"""SEARCH_DATABASE_URL: searches read there while it serves, and in Postgres itself otherwise; all else stays there."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from api.migrate import migrate
from services.api.tests.conftest import Settings, Start
from services.api.tests.helpers.databases import own_database, shut, sql
from stack import EmbeddedStack, free_ports, until

READ_ONLY = "ALTER DATABASE {} SET default_transaction_read_only = {}"


@pytest.fixture
def primary(stack: EmbeddedStack) -> Iterator[str]:
    """A database that has a document of the same text as the replica's, with another id."""
    with own_database(stack.url("postgres")) as own:
        yield own


@pytest.fixture
def replica(stack: EmbeddedStack, start: Start) -> Iterator[str]:
    """A database that takes no writes, as a standby; a document of its own shows who was asked."""
    with own_database(stack.url("postgres")) as own:
        assert store(start(database_url=own), "there") == 200
        sql(own, READ_ONLY.format(name(own), "on"))
        yield own


def name(url: str) -> str:
    """Of a database."""
    return urlsplit(url).path.removeprefix("/")


def store(client: TestClient, document: str) -> int:
    """The status of storing a document."""
    return client.post("/v1/documents", json={"documents": [{"id": document, "text": "text"}]}).status_code


def found(client: TestClient) -> list[str]:
    """Ids of what a search finds."""
    answer = client.post("/v1/search", json={"query": "text"})
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["results"]]


def shown(client: TestClient) -> str:
    """The verbose readiness probe."""
    return client.get("/readyz?verbose").text


def test_searches_read_the_replica_and_writers_postgres(start: Start, primary: str, replica: str) -> None:
    """Documents are stored, read and deleted in Postgres itself. A replica takes no writes, and is well."""
    client = start(database_url=primary, search_database_url=replica)
    assert store(client, "here") == 200
    assert client.get("/v1/documents/here").status_code == 200
    assert found(client) == ["there"]
    until(lambda: "[+]replica ok" in shown(client), 20, "a sample in time")


def test_without_the_replica_searches_go_on(start: Start, primary: str, replica: str) -> None:
    """No search fails when it goes, before a health sample knows of it; when it is back, it is read again."""
    client = start(database_url=primary, search_database_url=replica)
    assert store(client, "here") == 200
    assert found(client) == ["there"]
    with shut(replica):
        assert found(client) == ["here"]
        until(lambda: "[-]replica failed" in shown(client), 20, "the sample's reason")
        assert found(client) == ["here"]
    until(lambda: found(client) == ["there"], 20, "the replica")


def test_a_replica_that_hangs_costs_no_search(
    stack: EmbeddedStack, settings: Settings, start: Start, primary: str, tmp_path: Path
) -> None:
    """Before a health sample knows of it, its open connections leave a request the time to ask Postgres itself."""
    with EmbeddedStack(tmp_path, free_ports(), ("postgres",)) as other:
        replica = other.url("postgres")
        asyncio.run(migrate(settings(database_url=replica)))
        assert store(start(database_url=replica), "there") == 200
        client = start(database_url=primary, search_database_url=replica, request_timeout=6)
        assert store(client, "here") == 200
        assert found(client) == ["there"]
        other.pause("postgres")
        try:
            assert [found(client) for _ in range(3)] == [["here"]] * 3
        finally:
            other.resume("postgres")


def test_without_postgres_itself_searches_go_on(start: Start, primary: str, replica: str) -> None:
    """They need the replica alone; writers are refused."""
    client = start(database_url=primary, search_database_url=replica)
    with shut(primary):
        assert found(client) == ["there"]
        until(lambda: "[-]postgres failed" in shown(client), 20, "the sample's reason")
        assert found(client) == ["there"]
        assert store(client, "here") == 503
