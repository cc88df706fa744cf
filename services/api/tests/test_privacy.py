"""Nobody's text, metadata or query is in a log line at the most talkative level, or in an error answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from services.api.tests.conftest import MODEL
from services.api.tests.helpers.databases import own_database, sql
from stack import EmbeddedStack
from stack.http import Answer
from stack.site import REPOSITORY
from tests.harness.gunicorn import Gunicorn

CANARY, ID = "canary7f3a", "idcanary7f3a"
DOCUMENT = {"id": ID, "text": f"{CANARY} text", "metadata": {CANARY: [CANARY]}}
RAISE = """
CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = {message}, DETAIL = NEW.text, HINT = NEW.metadata;
END $$"""
TRIGGER = "CREATE TRIGGER broken BEFORE INSERT OR UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION broken()"
BAD_BODIES = [
    {"documents": [{"text": f"{CANARY}\ud800"}]},
    {"documents": [{"text": f"{CANARY}\0"}]},
    {"documents": [{"text": CANARY * 3000}]},
    {"documents": [{"text": CANARY, "metadata": CANARY}]},
    {"documents": [{"text": [CANARY]}]},
    {"documents": [{"id": f"{ID} {CANARY}", "text": CANARY}]},
    {"documents": CANARY},
]


@pytest.fixture
def url(stack: EmbeddedStack) -> Iterator[str]:
    """A database that a test may break."""
    with own_database(stack.url("postgres")) as own:
        yield own


@pytest.fixture
def services(stack: EmbeddedStack, url: str, tmp_path: Path) -> Iterator[tuple[Gunicorn, Gunicorn]]:
    """The api, whose Redis takes no value, and the worker, both at LOG_LEVEL=debug."""
    conf = REPOSITORY / "services"
    common = {"LOG_LEVEL": "debug", "DRAIN_SECONDS": 0}
    limited = stack.url("valkey").replace(f":{stack.site.secrets.redis}@", "reader:pw@")
    with (
        Redis.from_url(stack.url("valkey")) as redis,
        Gunicorn(conf / "worker/gunicorn.conf.py", tmp_path, ENGINE="fake", **common) as worker,
    ):
        worker.wait_ready()
        redis.acl_setuser("reader", enabled=True, passwords=["+pw"], keys=["*"], categories=["+@all"])
        addresses = {"DATABASE_URL": url, "REDIS_URL": limited, "WORKER_URL": f"http://127.0.0.1:{worker.port}"}
        with Gunicorn(conf / "api/gunicorn.conf.py", tmp_path, **addresses, **common) as api:
            api.wait_ready()
            redis.acl_setuser("reader", enabled=True, keys=["*"], categories=["+@all"], commands=["-set"])
            yield api, worker


def use(api: Gunicorn) -> list[Answer]:
    """Every route that takes a text, once."""
    return [
        api.post("/v1/documents", {"documents": [DOCUMENT]}),
        api.post("/v1/search", {"query": CANARY, "filter": {CANARY: CANARY}}),
        api.post("/v1/embeddings", {"input": [CANARY], "model": MODEL}),
        api.get(f"/v1/documents/{ID}"),
    ]


def test_no_text_is_in_a_log_or_an_error(services: tuple[Gunicorn, Gunicorn], url: str) -> None:
    """Whatever fails: Redis, a statement, the table under it, the caller's own input."""
    api, worker = services
    good = use(api)
    errors = [api.post("/v1/documents", body) for body in BAD_BODIES]
    sql(url, RAISE.format(state="P0001", message="NEW.text"), TRIGGER)
    errors.append(use(api)[0])
    for state in ("22P02", "23514", "53100", "25006"):
        sql(url, RAISE.format(state=state, message="NEW.text" if state < "25" else "'full'"))
        errors.append(use(api)[0])
    sql(url, "DROP TABLE documents, embeddings")
    errors += [each for each in use(api) if each.status != 200]
    logged = api.log + worker.log
    assert [each.status for each in good] == [200] * 4
    assert {each.status for each in errors} >= {400, 500, 503}
    assert not {200, 204} & {each.status for each in errors}
    assert [each.body for each in errors if CANARY.encode() in each.body.replace(ID.encode(), b"")] == []
    assert [line for line in logged.splitlines() if CANARY in line.replace(ID, "")] == []
    assert [line for line in logged.splitlines() if ID in line and "GET /v1/documents/" not in line] == []
    assert "not cached" in logged
    assert "StatementError" in logged
    assert "Command #" not in logged  # redis-py's errors quote it, and with it the vector
    assert max(map(len, logged.splitlines())) < 1000
