"""A password is rotated in its file: each new connection reads the file again, and no signal is needed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from api.app import create_app
from api.postgres_connection import Connector
from services.api.tests.conftest import MODEL, Settings
from services.api.tests.helpers.databases import own_database, sql
from stack import EmbeddedStack, free_ports, until


@pytest.fixture
def role(stack: EmbeddedStack) -> Iterator[str]:
    """A role that nobody else uses."""
    name = f"role_{uuid4().hex}"
    sql(stack.url("postgres"), f"CREATE ROLE {name} LOGIN SUPERUSER PASSWORD 'first'")
    yield name
    # It may have stored the first document of a space, and then it owns the space's table.
    sql(stack.url("postgres"), f"REASSIGN OWNED BY {name} TO CURRENT_USER", f"DROP ROLE {name}")


def address(url: str, user: str, password: str) -> str:
    """The same with another user."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()


def store(client: TestClient) -> int:
    """The status of storing a document."""
    return client.post("/v1/documents", json={"documents": [{"id": "rotated", "text": "rotated"}]}).status_code


def test_the_password_of_postgres(
    stack: EmbeddedStack, settings: Settings, role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open connections go on; new ones use what the file says by then; a half-written file changes nothing."""
    url, file = stack.url("postgres"), tmp_path / "database-url"
    file.write_text(address(url, role, "first"))
    monkeypatch.setenv("DATABASE_URL_FILE", str(file))
    given = settings(database_url=file.read_text())
    with TestClient(create_app(given)) as client:
        assert store(client) == 200  # and the space is there, which is made on a new connection
        sql(url, f"ALTER ROLE {role} PASSWORD 'second'")
        assert store(client) == 200
        sql(url, f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{role}'")
        until(lambda: store(client) == 503, 20, "a refused connection")
        file.write_text("postgresql+asyn")
        assert store(client) == 503
        file.write_text(address(url, role, "second"))
        until(lambda: store(client) == 200, 20, "the recovery")


def test_requests_wait_for_the_new_password(
    stack: EmbeddedStack, settings: Settings, role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the change in Postgres and that of the file, a request that needs a new connection is only delayed."""
    url, file = stack.url("postgres"), tmp_path / "database-url"
    file.write_text(address(url, role, "first"))
    monkeypatch.setenv("DATABASE_URL_FILE", str(file))
    app = create_app(settings(database_url=file.read_text(), database_patience=60))
    with TestClient(app) as client, ThreadPoolExecutor(1) as thread:
        sql(url, f"ALTER ROLE {role} PASSWORD 'second'")
        sql(url, f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{role}'")
        waiting = thread.submit(store, client)
        try:
            until(lambda: app.state.postgres.patience.away, 20, "a request that waits")
        finally:
            file.write_text(address(url, role, "second"))
        assert waiting.result() == 200


def test_the_file_names_another_primary(
    stack: EmbeddedStack, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that meets the former one, which is up and read-only, is done by the one that the file names by then."""
    file = tmp_path / "database-url"
    with own_database(stack.url("postgres")) as former, own_database(stack.url("postgres")) as new:
        file.write_text(former)
        monkeypatch.setenv("DATABASE_URL_FILE", str(file))
        with TestClient(create_app(settings(database_url=former))) as client:
            assert store(client) == 200
            name = urlsplit(former).path.removeprefix("/")
            sql(stack.url("postgres"), f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            terminate = f"SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = '{name}'"
            sql(stack.url("postgres"), terminate)
            until(lambda: store(client) == 503, 20, "a write that meets it")
            file.write_text(new)
            assert store(client) == 200
            assert sql(new, "SELECT count(*) FROM documents") == 1


@pytest.mark.anyio
async def test_what_is_wrong_with_the_named_address_is_told(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where neither serves, the error is that of the address in the file, not of the former one."""
    file, url = tmp_path / "database-url", "postgresql+asyncpg://user:password@127.0.0.1:{}/warmstart"
    former, named = (free_ports()[part] for part in ("postgres", "valkey"))
    monkeypatch.setenv("DATABASE_URL_FILE", str(file))
    file.write_text(url.format(named))
    with pytest.raises(OSError, match=f"{named}"):
        await Connector(settings(database_url=url.format(former)))()


def test_the_password_of_redis(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open connections go on; new ones use what the file says by then; no request fails meanwhile."""
    file = tmp_path / "redis-url"
    with EmbeddedStack(tmp_path / "stack", free_ports(), ("valkey",)) as valkey:
        file.write_text(valkey.url("valkey"))
        monkeypatch.setenv("REDIS_URL_FILE", str(file))
        with (
            TestClient(create_app(settings(redis_url=file.read_text()))) as client,
            Redis.from_url(valkey.url("valkey")) as redis,
        ):
            redis.config_set("requirepass", "se/co@nd")
            until(lambda: "[+]redis ok" in client.get("/readyz?verbose").text, 20, "a sample on an open connection")
            redis.client_kill_filter(skipme=True, _type="normal")
            until(lambda: "[-]redis failed" in client.get("/readyz?verbose").text, 20, "a refused connection")
            assert embed(client) == 200
            file.write_text(address(valkey.url("valkey"), "", "se%2Fco%40nd"))
            until(lambda: "[+]redis ok" in client.get("/readyz?verbose").text, 20, "the sample's recovery")
            assert embed(client) == 200


def embed(client: TestClient) -> int:
    """The status of embedding a new text."""
    return client.post("/v1/embeddings", json={"input": uuid4().hex, "model": MODEL}).status_code
