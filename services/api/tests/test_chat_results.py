"""Each chat is counted once, under what ended it, also where it is refused before its search."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from api.app import create_app
from api.chat.resource import CHAT
from api.chat.result import noted
from api.chat_results import Ended
from api.resources import POSTGRES, RESOURCES
from services.api.tests.conftest import Settings, Start
from services.api.tests.helpers.chat_standin import MODEL, ChatStandIn, plain, saying
from services.api.tests.helpers.chats import ASKED, DOCUMENTS, PATH, ask
from services.api.tests.helpers.databases import sql
from stack.site import REPOSITORY
from tests.harness.wire import connect, converse, statuses
from warmstart import Resource

KEY = {"Authorization": "Bearer a-key-of-this-test"}


def counted() -> dict[str, float]:
    """How many chats have ended so, by result."""
    families = [each for each in REGISTRY.collect() if each.name == "api_chats"]
    samples = [sample for each in families for sample in each.samples if sample.name == "api_chats_total"]
    return {each.labels["result"]: each.value for each in samples}


class Since:
    """What has been counted since then."""

    def __init__(self) -> None:
        self._before = counted()

    @property
    def found(self) -> dict[str, float]:
        """Results that more chats have than before."""
        return {result: n - self._before[result] for result, n in counted().items() if n > self._before[result]}


@pytest.fixture
def client(start: Start, upstream: ChatStandIn) -> TestClient:
    """An api with a key and small limits."""
    made = start(chat_url=upstream.url, chat_model=MODEL, api_keys="a-key-of-this-test", max_body_bytes=2000)
    made.headers.update(KEY)
    return made


REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"headers": {"Authorization": "Bearer no-key"}}, 401),
    ({"json": {"model": "another", "messages": ASKED}}, 404),
    ({"json": {"model": MODEL, "messages": ASKED, "temperature": 9}}, 400),
    ({"json": {"model": MODEL, "messages": [{"role": "system", "content": "a"}]}}, 400),
    ({"content": "{"}, 400),
    ({"content": b"\xff"}, 400),
    ({"content": "x" * 3000}, 413),
    ({"content": "x", "headers": {"Content-Encoding": "gzip"}}, 415),
]


@pytest.mark.parametrize(("call", "status"), REFUSED)
def test_what_is_no_chat_is_rejected(client: TestClient, call: dict[str, Any], status: int) -> None:
    """An unknown key, model or encoding, a bad field, no JSON, too much of it."""
    headers = {"Content-Type": "application/json", **call.pop("headers", {})}
    since = Since()
    assert client.post(PATH, headers=headers, **{"json": None, **call}).status_code == status
    assert since.found == {"rejected": 1}


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_counted_once(client: TestClient, stream: bool) -> None:
    """Whole or streamed."""
    since = Since()
    assert ask(client, stream=stream).status_code == 200
    assert since.found == {"answered": 1}


def test_a_failure_of_the_server_is_counted_once(client: TestClient, upstream: ChatStandIn) -> None:
    """Under its own result."""
    upstream.says = saying(plain(500, b""))
    since = Since()
    assert ask(client).status_code == 502
    assert since.found == {"failed": 1}


def test_a_quota_that_is_spent_rejects(start: Start, upstream: ChatStandIn) -> None:
    """The chat before it is answered."""
    client = start(chat_url=upstream.url, chat_model=MODEL, quota="1/hour", api_keys="a-key-that-is-soon-spent")
    client.headers["Authorization"] = "Bearer a-key-that-is-soon-spent"
    since = Since()
    assert [ask(client).status_code for _ in range(2)] == [200, 429]
    assert since.found == {"answered": 1, "rejected": 1}


def test_without_postgres_the_search_fails(settings: Settings, upstream: ChatStandIn) -> None:
    """It is known to be away, so that no search begins."""

    @asynccontextmanager
    async def away(_: FastAPI) -> AsyncIterator[None]:
        raise ConnectionRefusedError
        yield

    resources: list[Resource[Any]] = [each for each in RESOURCES if each.name != POSTGRES.name]
    resources += [CHAT, Resource("postgres", away, required=False)]
    with TestClient(create_app(settings(chat_url=upstream.url, chat_model=MODEL), resources)) as client:
        since = Since()
        assert ask(client).status_code == 503
        assert since.found == {"search": 1}


BROKEN = """CREATE VIEW documents AS SELECT id, (1 / (length(text) - length(text)))::text AS text, metadata, model,
    embedding, updated_at FROM kept"""


def test_a_search_that_fails_is_no_fault_of_the_chat_server(
    settings: Settings, upstream: ChatStandIn, address: str
) -> None:
    """Postgres refuses its statement, which is a 500."""
    app = create_app(settings(chat_url=upstream.url, chat_model=MODEL, database_url=address))
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.post("/v1/documents", json={"documents": DOCUMENTS}).status_code == 200
        sql(address, "ALTER TABLE documents RENAME TO kept", BROKEN)
        since = Since()
        assert ask(client).status_code == 500
        assert since.found == {"search": 1}


@pytest.mark.parametrize(("asked", "result"), [(False, "search"), (True, "failed")])
def test_an_error_without_a_type_counts_by_when_it_came(asked: bool, result: str) -> None:
    """It is the search's until the chat server is asked."""
    ended = Ended()
    with suppress(ZeroDivisionError), noted(ended):
        ended.asked = asked
        raise ZeroDivisionError
    assert ended.result == result


def test_a_body_without_room_is_refused(start: Start, upstream: ChatStandIn) -> None:
    """The bodies of other requests take it: nothing was searched, and nothing is wrong with the body."""
    client = start(chat_url=upstream.url, chat_model=MODEL, max_body_bytes=2000, max_body_bytes_in_flight=2700)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    whole = f"{head}Content-Length: 1500\r\n\r\n".encode()

    async def scenario() -> list[int]:
        reader, writer, _ = await connect(client.app)
        writer.write(whole)  # and no more: its room is taken
        for _ in range(50):
            await asyncio.sleep(0)
        refused = await converse(client.app, [whole, b"x" * 1500])
        writer.write(b"x" * 1500)
        return statuses(refused) + statuses(await reader.read())

    since = Since()
    assert client.portal
    assert client.portal.call(scenario) == [503, 400]
    assert since.found == {"refused": 1, "rejected": 1}


def test_a_time_limit_of_the_caller_cuts(client: TestClient, upstream: ChatStandIn) -> None:
    """It ends while the chat server is asked, or before."""
    upstream.holds(b"")
    since = Since()
    answer = client.post(PATH, json={"model": MODEL, "messages": ASKED}, headers={"X-Request-Timeout": "1"})
    assert answer.status_code == 504
    assert sum(since.found.values()) == 1
    assert since.found.keys() <= {"cut", "search"}


def test_without_a_chat_server_chats_are_off(start: Start) -> None:
    """They are counted all the same."""
    since = Since()
    assert ask(start()).status_code == 503
    assert since.found == {"off": 1}


def test_other_calls_are_no_chats(client: TestClient) -> None:
    """Another method, or another path."""
    since = Since()
    statuses = [
        answer.status_code
        for answer in (
            client.get(PATH),
            client.get("/v1/models"),
            client.post(f"{PATH}s", json={}),
        )
    ]
    assert statuses == [405, 200, 404]
    assert since.found == {}


def test_the_page_has_every_result() -> None:
    """docs/chat.md says what each of them means."""
    text = (REPOSITORY / "docs" / "chat.md").read_text().partition("## What is counted")[2]
    firsts = re.findall(r"^\| (`.*?`) \| ", text, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(firsts[1:]))) == set(counted())
