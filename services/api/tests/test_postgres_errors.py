"""What Postgres says while it serves: a typed 503 where it can't do the work, and never a user's text."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.migrate import migrate
from services.api.tests.conftest import Settings
from services.api.tests.helpers.databases import own_database, sql
from stack import EmbeddedStack, until

CANARY = "canary7f3a"
BREAK = """
CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = {message}, DETAIL = NEW.text, HINT = NEW.metadata;
END $$"""


@pytest.fixture(scope="module")
def url(stack: EmbeddedStack) -> Iterator[str]:
    """A database that a test may break."""
    with own_database(stack.url("postgres")) as own:
        sql(own, BREAK.format(state="P0001", message="''"))
        yield own


@pytest.fixture
def client(settings: Settings, url: str) -> Iterator[TestClient]:
    """An api whose unexpected errors are answers."""
    with TestClient(create_app(settings(database_url=url)), raise_server_exceptions=False) as running:
        yield running


def store(client: TestClient) -> tuple[int, str]:
    """Status and body of storing a text that must not come back."""
    document = {"id": "known", "text": f"{CANARY} text", "metadata": {CANARY: CANARY}}
    answer = client.post("/v1/documents", json={"documents": [document]})
    return answer.status_code, answer.text


def code(answer: tuple[int, str]) -> str:
    """The status, and whether its error is the typed one of a lost dependency."""
    return f"{answer[0]} {'typed' if 'dependency_unavailable' in answer[1] else 'other'}"


def shown(client: TestClient) -> str:
    """The answer of the verbose readiness probe."""
    return client.get("/readyz?verbose").text


@contextmanager
def broken_by(url: str, state: str, message: str) -> Iterator[None]:
    """Each new row fails with this state inside."""
    trigger = "CREATE TRIGGER broken BEFORE INSERT ON documents FOR EACH ROW EXECUTE FUNCTION broken()"
    sql(url, BREAK.format(state=state, message=message), trigger)
    try:
        yield
    finally:
        sql(url, "DROP TRIGGER broken ON documents")


def test_a_schema_that_vanishes_comes_back(
    client: TestClient, settings: Settings, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Typed 503 for all routes, the revision in the probe, no traceback; healed when the migration has run."""
    assert store(client)[0] == 200
    sql(url, "DROP TABLE documents, embeddings, replacement, alembic_version")
    told = "[-]postgres failed: degraded: database is at revision none, expected 0003: run the migrate step"
    until(lambda: told in shown(client), 20, "the revision in the probe")
    assert code(store(client)) == "503 typed"
    assert client.post("/v1/search", json={"query": "a"}).status_code == 503
    assert client.get("/v1/documents/known").status_code == 503
    assert client.delete("/v1/documents/known").status_code == 503
    assert [record for record in caplog.records if record.exc_info] == []
    asyncio.run(migrate(settings(database_url=url)))
    assert store(client)[0] == 200
    until(lambda: "[+]postgres ok" in shown(client), 20, "the recovery")


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ("ALTER TABLE documents RENAME COLUMN text TO words", "ALTER TABLE documents RENAME COLUMN words TO text"),
        ("ALTER TABLE documents RENAME TO papers", "ALTER TABLE papers RENAME TO documents"),
        ("ALTER SCHEMA public RENAME TO private", "ALTER SCHEMA private RENAME TO public"),
        ("UPDATE alembic_version SET version_num = '9999'", "UPDATE alembic_version SET version_num = '0003'"),
    ],
)
def test_another_schema_is_typed_and_heals(client: TestClient, url: str, broken: str, mended: str) -> None:
    """What a newer or older release left is no bare 500; a revision alone stops no request, but is shown."""
    sql(url, broken)
    try:
        during = code(store(client))
        if "alembic" in broken:
            until(lambda: "revision 9999, expected 0003" in shown(client), 20, "the revision in the probe")
    finally:
        sql(url, mended)
    assert during == ("200 other" if "alembic" in broken else "503 typed")
    assert store(client)[0] == 200


def test_a_column_of_another_kind_is_seen_once(client: TestClient, url: str) -> None:
    """Statements that were prepared before a migration are prepared again, within the request."""
    assert client.get("/v1/documents/known").status_code in (200, 404)
    sql(url, "ALTER TABLE documents ALTER COLUMN model TYPE varchar(100)")
    assert client.get("/v1/documents/known").status_code in (200, 404)


@pytest.mark.parametrize(
    "state",
    [
        *("53100", "53200", "54000", "55P03", "55006", "40001", "40P01", "57014", "58030", "XX000", "XX001"),
        *("25006", "25P02", "0A000", "42501", "08006", "57P01", "26000"),
    ],
)
def test_what_postgres_can_not_do_now_is_typed(
    client: TestClient, url: str, caplog: pytest.LogCaptureFixture, state: str
) -> None:
    """Disk full, lock time-out, serialization, I/O error …: 503 with the server's words, without detail and hint."""
    with caplog.at_level(logging.DEBUG), broken_by(url, state, "'the words of the server'"):
        answer = store(client)
    assert code(answer) == "503 typed"
    assert "the words of the server" in answer[1]
    assert CANARY not in answer[1] + caplog.text
    assert store(client)[0] == 200


@pytest.mark.parametrize("state", ["P0001", "22P02", "22021", "23514", "23502", "42601", "42804"])
def test_a_refused_statement_shows_no_text(
    client: TestClient, url: str, caplog: pytest.LogCaptureFixture, state: str
) -> None:
    """An error of the statement itself is a 500 whose traceback names the state, and quotes nobody's text."""
    with caplog.at_level(logging.DEBUG), broken_by(url, state, "NEW.text"):
        answer = store(client)
    assert answer[0] == 500
    assert CANARY not in answer[1] + caplog.text
