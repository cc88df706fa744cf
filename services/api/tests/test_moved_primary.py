"""A primary that became read-only in place: typed answers meanwhile, and no request lost once there is a new one."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from fastapi.testclient import TestClient

from api.migrate import migrate
from services.api.tests.conftest import Settings, Start
from services.api.tests.helpers.databases import own_database, sql
from services.api.tests.helpers.switch import switch
from stack import EmbeddedStack, free_ports, until


def store(client: TestClient, name: str = "moved") -> int:
    """The status of storing a document."""
    return client.post("/v1/documents", json={"documents": [{"id": name, "text": name}]}).status_code


@contextmanager
def demoted(url: str, *, for_new_connections: str = "on") -> Iterator[None]:
    """The server takes no writes, on open connections neither; it serves on."""
    setting = "default_transaction_read_only"
    sql(url, f"ALTER SYSTEM SET {setting} = on", "SELECT pg_reload_conf()")
    try:
        until(lambda: sql(url, f"SHOW {setting}") == for_new_connections, 20, "the demotion")
        yield
    finally:  # ALTER SYSTEM is no write to the database
        sql(url, f"ALTER SYSTEM RESET {setting}", "SELECT pg_reload_conf()")
        until(lambda: sql(url, f"SHOW {setting}") == "off", 20, "the promotion")


def test_old_connections_are_replaced_within_the_request(stack: EmbeddedStack, start: Start) -> None:
    """Of writes and deletions that meet the old primary on open connections none is lost when new ones can write."""
    url = stack.url("postgres")
    with own_database(url) as own, ThreadPoolExecutor(8) as pool:
        client = start(database_url=own)
        assert set(pool.map(lambda turn: store(client, f"before-{turn}"), range(32))) == {200}
        sql(url, "ALTER ROLE warmstart SET default_transaction_read_only = off")
        try:
            with demoted(url, for_new_connections="off"):
                statuses = list(pool.map(lambda turn: store(client, f"after-{turn}"), range(64)))
                removed = client.delete("/v1/documents/before-1").status_code
                until(lambda: "[+]postgres ok" in shown(client), 20, "a sample on a new connection")
        finally:
            sql(url, "ALTER ROLE warmstart RESET default_transaction_read_only")
    assert statuses == [200] * 64
    assert removed == 204


def test_without_a_new_primary_reading_goes_on(stack: EmbeddedStack, start: Start) -> None:
    """Writes are a typed 503 that says why, reads and searches are served, the probe tells, and all heals by itself."""
    with own_database(stack.url("postgres")) as url:
        client = start(database_url=url)
        assert store(client) == 200
        with demoted(stack.url("postgres")):
            refused = client.post("/v1/documents", json={"documents": [{"id": "moved", "text": "secret text"}]})
            until(lambda: "[-]postgres failed: degraded: read-only" in shown(client), 20, "the sample's reason")
            statuses = [
                client.get("/v1/documents/moved").status_code,
                client.post("/v1/search", json={"query": uuid4().hex}).status_code,
                store(client),
            ]
        assert store(client) == 200  # at once: not only after the next sample
        until(lambda: "[+]postgres ok" in shown(client), 20, "the sample's recovery")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "dependency_unavailable")
    assert "read-only" in refused.json()["error"]["message"]
    assert "secret text" not in refused.text
    assert statuses == [200, 200, 503]


def shown(client: TestClient) -> str:
    """The answer of the verbose readiness probe."""
    return client.get("/readyz?verbose").text


def test_the_next_try_finds_the_new_primary(
    stack: EmbeddedStack, settings: Settings, start: Start, tmp_path: Path
) -> None:
    """The old primary stays up, read-only; from the moment that the name leads to the new one, every write arrives."""
    password = f"POSTGRES_PASSWORD={stack.site.secrets.postgres}\n"
    (tmp_path / ".env").write_text(password)
    with (
        EmbeddedStack(tmp_path, free_ports(), ("postgres",)) as other,
        switch(stack.site.ports["postgres"]) as name,
        ThreadPoolExecutor(8) as pool,
    ):
        asyncio.run(migrate(settings(database_url=other.url("postgres"))))
        moving = stack.url("postgres").replace(f":{stack.site.ports['postgres']}/", f":{name.port}/")
        client = start(database_url=moving)
        assert set(pool.map(lambda turn: store(client, f"old-{turn}"), range(32))) == {200}
        with demoted(stack.url("postgres")):
            assert [store(client) for _ in range(3)] == [503] * 3
            name.target = other.site.ports["postgres"]
            assert [store(client, f"new-{turn}") for turn in range(50)] == [200] * 50
            assert sql(other.url("postgres"), "SELECT count(*) FROM documents") == 50


def test_reads_follow_the_primary_where_nobody_writes(
    stack: EmbeddedStack, settings: Settings, start: Start, tmp_path: Path
) -> None:
    """The old primary stays up, read-only, for longer than a health sample takes, before the name moves."""
    (tmp_path / ".env").write_text(f"POSTGRES_PASSWORD={stack.site.secrets.postgres}\n")
    with (
        EmbeddedStack(tmp_path, free_ports(), ("postgres",)) as other,
        switch(stack.site.ports["postgres"]) as name,
        ThreadPoolExecutor(8) as pool,
    ):
        asyncio.run(migrate(settings(database_url=other.url("postgres"))))
        assert store(start(database_url=other.url("postgres")), "fresh") == 200
        client = start(
            database_url=stack.url("postgres").replace(f":{stack.site.ports['postgres']}/", f":{name.port}/")
        )

        def reads() -> list[int]:
            return list(pool.map(lambda _: client.get("/v1/documents/fresh").status_code, range(16)))

        with demoted(stack.url("postgres")):
            until(lambda: "[-]postgres failed: degraded: read-only" in shown(client), 20, "the sample's reason")
            assert set(reads()) == {404}
            name.target = other.site.ports["postgres"]
            until(lambda: set(reads()) == {200}, 20, "the new primary")


def test_several_servers_of_which_none_is_a_primary(stack: EmbeddedStack, start: Start) -> None:
    """While a standby takes over, new connections find no server that takes writes: a typed 503 until one does."""
    with own_database(stack.url("postgres")) as url:
        user, _, server = urlsplit(url).netloc.rpartition("@")
        several = urlsplit(url)._replace(netloc=f"{user}@{server},{server}").geturl()
        client = start(database_url=several, database_patience=0)
        assert store(client) == 200
        with demoted(stack.url("postgres")):
            assert {store(client) for _ in range(3)} == {503}
        until(lambda: store(client) == 200, 10, "a write")
