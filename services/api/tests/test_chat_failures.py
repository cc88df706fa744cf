"""Each way in which a chat server fails has a typed answer, before the first word and after it."""

import json

import pytest
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from services.api.tests.conftest import Start
from services.api.tests.helpers.chat_standin import (
    CHUNKED,
    EVENTS,
    MODEL,
    ROLE,
    STREAM,
    Call,
    ChatStandIn,
    chunk,
    completion,
    plain,
    saying,
    words,
)
from services.api.tests.helpers.chats import ask, chunks
from services.api.tests.helpers.serving import on
from services.api.tests.helpers.standin import StandIn, refuse
from stack import free_ports, until

LEAK = "quoted-from-the-prompt"
SHORT = 0.2  # seconds; nothing is asserted on how long it takes
DEEP = b'{"choices": [{"delta": {"content": "x", "a": %b}}]}' % (b"[" * 300 + b"]" * 300)  # read, but not written
ENTITY = b"400\r\n"  # a kilobyte is announced


def error(message: str = LEAK, **more: str) -> bytes:
    """A server's error."""
    return json.dumps({"error": {"message": message, "type": "x", "code": None, **more}}).encode()


@pytest.fixture
def client(start: Start, upstream: ChatStandIn) -> TestClient:
    """An api that waits long for nothing."""
    return start(chat_url=upstream.url, chat_model=MODEL, chat_first_token_timeout=15, chat_token_timeout=15)


STATUSES = [
    (plain(400, error()), (400, "chat_refused", None)),
    (plain(400, error(code="context_length_exceeded")), (400, "context_length_exceeded", None)),
    (plain(422, error()), (400, "chat_refused", None)),
    (plain(422, error(code="context_length_exceeded")), (400, "context_length_exceeded", None)),
    (plain(413, b"<html>"), (400, "context_length_exceeded", None)),
    (plain(401, error()), (503, "dependency_unavailable", "1")),
    (plain(403, error()), (503, "dependency_unavailable", "1")),
    (plain(404, error()), (503, "dependency_unavailable", "1")),
    (plain(429, error(), Retry_After="7"), (429, "chat_rate_limited", "7")),
    (plain(429, error(), Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), (429, "chat_rate_limited", "1")),
    (plain(429, error(), Retry_After="soon"), (429, "chat_rate_limited", "1")),
    (plain(503, error(), Retry_After="2.5"), (503, "chat_overloaded", "3")),
    (plain(500, error()), (502, "chat_failed", None)),
    (plain(502, b"<html>bad gateway</html>", "text/html"), (502, "chat_failed", None)),
    (plain(302, b"", Location="http://127.0.0.1:9/"), (502, "chat_failed", None)),
    (plain(204, b""), (502, "chat_failed", None)),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("says", "expected"), STATUSES)
def test_an_error_of_the_server_has_its_status(
    client: TestClient, upstream: ChatStandIn, stream: bool, says: bytes, expected: tuple[int, str, str | None]
) -> None:
    """It is the same for whole and streamed answers, says when to come again, and quotes nothing."""
    upstream.says = saying(says)
    answer = ask(client, stream=stream)
    found = answer.status_code, answer.json()["error"]["code"], answer.headers.get("retry-after")
    assert found == expected
    assert LEAK not in answer.text
    assert len(upstream.calls) == 1


NO_ANSWER = [
    (b"", "chat_broken"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "chat_invalid"),
    (plain(200, b"<html></html>", "text/html"), "chat_invalid"),
    (plain(200, error()), "chat_invalid"),
    (plain(200, b"\x1f\x8b", Content_Encoding="gzip"), "chat_invalid"),
    (EVENTS, "chat_broken"),
    (EVENTS + chunk(ROLE), "chat_broken"),
    (CHUNKED + ENTITY + chunk(ROLE), "chat_broken"),
    (EVENTS + b"data: [DONE]\n\n", "chat_invalid"),
    (EVENTS + b'data: {"choices": [{"ind\n\n', "chat_invalid"),
    (EVENTS + b"data: \xff\n\n", "chat_invalid"),
    (EVENTS + b"data: []\n\n", "chat_invalid"),
    (EVENTS + b'data: {"choices": {}}\n\n', "chat_invalid"),
    (EVENTS + b'data: {"choices": [{"delta": "x"}]}\n\n', "chat_invalid"),
    (EVENTS + b'data: {"choices": ' + b"[" * 100_000 + b"\n\n", "chat_invalid"),
    (EVENTS + b"data: " + DEEP + b"\n\n", "chat_invalid"),
    (EVENTS + b"data: " + error() + b"\n\n", "chat_failed"),
    (EVENTS + b"data: " + b"x" * 2**21 + b"\n\n", "chat_invalid"),
    (EVENTS + b"data:\n" * 2**21, "chat_invalid"),
]


@pytest.mark.parametrize(("says", "code"), NO_ANSWER)
def test_a_stream_that_never_begins_is_a_502(client: TestClient, upstream: ChatStandIn, says: bytes, code: str) -> None:
    """Whatever comes instead of a first word: nothing, HTML, half of JSON, an endless line, an error."""
    upstream.says = saying(says)
    answer = ask(client, stream=True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, code)
    assert LEAK not in answer.text


@pytest.mark.parametrize(
    ("says", "code"),
    [
        (plain(200, b"<html></html>", "text/html"), "chat_invalid"),
        (plain(200, b'{"choices": []}'), "chat_invalid"),
        (plain(200, b'{"choices": [{"text": "x"}]}'), "chat_invalid"),
        (plain(200, DEEP.replace(b"delta", b"message")), "chat_invalid"),
        (plain(200, b'"' + b"x" * 2**23 + b'"'), "chat_invalid"),
        (completion("x")[:-10], "chat_broken"),
        (plain(200, error()), "chat_failed"),
    ],
)
def test_a_whole_answer_that_is_none_is_a_502(
    client: TestClient, upstream: ChatStandIn, says: bytes, code: str
) -> None:
    """HTML, no choice, another form, one that is nested too deeply or too large, half of one, an error."""
    upstream.says = saying(says)
    answer = ask(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, code)
    assert LEAK not in answer.text


BREAKS = [
    (b"", "chat_broken"),
    (b"data: {", "chat_broken"),
    (b"data: {\n\n", "chat_invalid"),
    (b"data: " + DEEP + b"\n\n", "chat_invalid"),
    (b"data: " + error() + b"\n\n", "chat_failed"),
    (b"data: " + b"x" * 2**21 + b"\n\n", "chat_invalid"),
]


@pytest.mark.parametrize(("says", "code"), BREAKS)
def test_a_stream_that_fails_ends_with_a_typed_event(
    client: TestClient, upstream: ChatStandIn, says: bytes, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """After the words that have come, the last event has the error, no `[DONE]` follows, and a log line says why."""
    upstream.says = saying(EVENTS + chunk(ROLE) + words("Etna", " erupts") + says)
    role, etna, erupts, last = chunks(ask(client, stream=True))
    assert role["sources"] is not None
    assert [each["choices"][0]["delta"]["content"] for each in (etna, erupts)] == ["Etna", " erupts"]
    assert set(last["error"]) == {"message", "type", "param", "code"}
    assert (last["error"]["type"], last["error"]["code"]) == ("upstream_error", code)
    assert "an answer ended early" in caplog.text
    assert LEAK not in caplog.text + json.dumps(last)


def test_silence_before_the_first_word_is_a_504(start: Start, upstream: ChatStandIn) -> None:
    """No answer, a head without events, and comments or a role without a word: all are silence."""
    client = start(chat_url=upstream.url, chat_model=MODEL, chat_first_token_timeout=SHORT)
    for says in (b"", EVENTS, EVENTS + b": still there\n\n" + chunk(ROLE)):
        upstream.holds(says)
        answer = ask(client, stream=True)
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "chat_timeout")
    until(lambda: upstream.left == 3, 10, "all three calls cancelled")


def test_silence_between_two_words_is_a_typed_event(start: Start, upstream: ChatStandIn) -> None:
    """The limit is for each word anew, and comments are none; the call is cancelled."""
    client = start(chat_url=upstream.url, chat_model=MODEL, chat_token_timeout=SHORT)
    upstream.holds(EVENTS + words("Etna"), b": still there\n\n")
    etna, last = chunks(ask(client, stream=True))
    assert etna["choices"][0]["delta"]["content"] == "Etna"
    assert (last["error"]["type"], last["error"]["code"]) == ("timeout_error", "chat_timeout")
    until(lambda: upstream.left == 1, 10, "the call cancelled")


def test_a_whole_answer_has_a_limit_of_its_own(start: Start, upstream: ChatStandIn) -> None:
    """CHAT_TIMEOUT ends the call with 504."""
    client = start(chat_url=upstream.url, chat_model=MODEL, chat_timeout=SHORT)
    upstream.holds(b"")
    answer = ask(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "chat_timeout")


def test_a_stream_has_a_limit_of_its_own(start: Start, upstream: ChatStandIn) -> None:
    """CHAT_TIMEOUT ends one that goes on and on, without a pause between its words, with an event."""
    client = start(chat_url=upstream.url, chat_model=MODEL, chat_timeout=3)  # seconds: the first word comes in time

    async def says(call: Call) -> None:
        await call.say(EVENTS)
        while True:
            await call.say(words("and so on"))

    upstream.says = says
    assert chunks(ask(client, stream=True))[-1]["error"]["code"] == "chat_timeout"


def counted(result: str) -> float:
    """How many chats have ended so."""
    return REGISTRY.get_sample_value("api_chats_total", {"result": result}) or 0


def test_a_server_that_is_away_is_a_503(start: Start, upstream: ChatStandIn) -> None:
    """The resource is degraded from the start, each chat is counted as unavailable, and everything else works."""
    port = free_ports()["api"]
    client = start(chat_url=f"http://127.0.0.1:{port}/v1", chat_model=MODEL)
    before = counted("unavailable")
    answer = ask(client)
    assert counted("unavailable") == before + 1
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "dependency_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert client.get("/readyz").status_code == 200
    assert "[-]chat failed" in client.get("/readyz?verbose").text
    assert client.post("/v1/search", json={"query": "a"}).status_code == 200


@pytest.mark.parametrize(
    ("models", "healthy"),
    [
        (plain(200, b"{}"), True),
        (plain(404, b""), True),
        (plain(403, b""), True),
        (plain(429, b""), True),
        (plain(401, b""), False),
        (plain(500, b""), False),
        (b"", False),
    ],
)
def test_the_check_asks_for_the_models(start: Start, upstream: ChatStandIn, models: bytes, healthy: bool) -> None:
    """A server without the list is there; one that lets nobody in or fails isn't; no check asks for an answer."""
    upstream.models = models
    client = start(chat_url=upstream.url, chat_model=MODEL)
    assert ("[+]chat ok" in client.get("/readyz?verbose").text) == healthy
    assert ask(client).status_code == (200 if healthy else 503)
    assert upstream.looks
    assert len(upstream.calls) == healthy


def test_a_loop_ends(start: Start, upstream: ChatStandIn) -> None:
    """Where CHAT_URL leads back to the api, its own call is refused before it makes another, and the caller learns why.

    The call is told by the header that it has.
    """
    client = start(chat_url=upstream.url, chat_model=MODEL)
    assert ask(client).status_code == 200
    client.headers["X-Chat-Loop"] = upstream.calls[0].headers["x-chat-loop"]
    own = ask(client)
    assert (own.status_code, own.json()["error"]["code"]) == (508, "chat_loop")
    assert len(upstream.calls) == 1
    del client.headers["X-Chat-Loop"]
    upstream.says = saying(plain(own.status_code, own.content))
    answer = ask(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "dependency_unavailable")
    assert "CHAT_URL leads back" in answer.json()["error"]["message"]


def test_a_search_that_fails_is_no_failure_of_the_server(upstream: ChatStandIn, address: str) -> None:
    """It has the status of a search, is counted apart, and the server isn't asked."""
    worker = StandIn()
    worker.before = refuse(500, message="broken")
    before = counted("search"), counted("unavailable"), counted("failed")
    with on(worker, database_url=address, chat_url=upstream.url, chat_model=MODEL) as client:
        answer = ask(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "dependency_unavailable")
    assert "worker" in answer.json()["error"]["message"]
    assert (counted("search"), counted("unavailable"), counted("failed")) == (before[0] + 1, *before[1:])
    assert upstream.calls == []


def test_a_retrieval_that_fails_is_as_a_search_that_fails(start: Start, upstream: ChatStandIn) -> None:
    """A quota that is spent refuses a chat, which counts as one text, and the server isn't asked."""
    client = start(chat_url=upstream.url, chat_model=MODEL, quota="1/hour", api_keys="a-key-of-this-test")
    client.headers["Authorization"] = "Bearer a-key-of-this-test"
    upstream.says = saying(EVENTS + STREAM)
    first, second = (ask(client, stream=True) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 429)
    assert first.headers["ratelimit"].startswith('"texts";r=0;')
    assert second.json()["error"]["code"] == "quota_exceeded"
    assert len(upstream.calls) == 1
