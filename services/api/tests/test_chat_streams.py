"""Streams of a real api: they survive a drain, a client that leaves ends its call, a slow one costs no memory."""

import asyncio
import json
import socket
from contextlib import closing
from typing import Any

import psutil
import pytest
from openai import APIError, OpenAI, RateLimitError

from services.api.tests.conftest import CHAT_KEY as KEY
from services.api.tests.conftest import Api
from services.api.tests.helpers.chat_standin import (
    DONE,
    EVENTS,
    MODEL,
    STREAM,
    Call,
    ChatStandIn,
    chunk,
    completion,
    plain,
    saying,
    words,
)
from services.api.tests.helpers.chats import ASKED, PATH, events
from stack import until
from tests.harness.gunicorn import Gunicorn

TEXT = "words-that-nobody-else-may-read"
SEARCH = 3  # seconds, of a search like one that the process has done


class Client:
    """One stream, read from its connection piece by piece."""

    def __init__(self, port: int, **more: Any) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        messages = [{"role": "user", "content": TEXT}]
        body = json.dumps({"model": MODEL, "messages": messages, "stream": True, **more})
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
        self._socket.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{kind}\r\n\r\n{body}".encode())
        self.received = b""

    def read_until(self, text: bytes) -> None:
        """Read until this has come."""
        while text not in self.received:
            piece = self._socket.recv(65536)
            assert piece, self.received
            self.received += piece

    def rest(self) -> list[Any]:
        """The events up to the end of the connection; the body must end as one that is complete."""
        while piece := self._socket.recv(65536):
            self.received += piece
        body = self.received.partition(b"\r\n\r\n")[2]
        whole = b""
        while body:
            size, _, body = body.partition(b"\r\n")
            whole, body = whole + body[: int(size, 16)], body[int(size, 16) + 2 :]
            if size == b"0":
                return events(whole.decode())
        raise AssertionError(f"broken off: {self.received[-200:]!r}")

    def skip(self) -> bytes:
        """Read to the end of the connection, and return the last of it."""
        last = b""
        while piece := self._socket.recv(2**20):
            last = (last + piece)[-100:]
        return last

    def close(self) -> None:
        """Leave."""
        self._socket.close()


def metric(service: Gunicorn, line: str) -> float:
    """The value of one line of the metrics."""
    text = service.get("/metrics").body.decode()
    return sum(float(each.rpartition(" ")[2]) for each in text.splitlines() if each.startswith(line + " "))


def ended(service: Gunicorn, result: str, number: int = 1) -> None:
    """Wait until so many chats have ended so."""
    line = f'api_chats_total{{result="{result}"}}'
    until(lambda: metric(service, line) == number, 15, f"{number} of {line}", lambda: service.log[-1000:])
    until(lambda: metric(service, "api_chats_active") == 0, 15, "no chat under way")


def searched(service: Gunicorn) -> Gunicorn:
    """The service when it has done the search of `Client`: the first search of a process takes longer."""
    until(
        lambda: service.post("/v1/search", {"query": TEXT}).status == 200, 60, "a search", lambda: service.log[-1000:]
    )
    return service


def test_a_stream_survives_a_drain(api: Api, upstream: ChatStandIn) -> None:
    """One that ends within STREAM_DRAIN_SECONDS, which may be longer than REQUEST_TIMEOUT, comes to its end."""
    service = searched(api(REQUEST_TIMEOUT=SEARCH, STREAM_DRAIN_SECONDS=60))
    stopping = asyncio.Event()

    async def says(call: Call) -> None:
        await call.say(EVENTS + words("Etna"))
        await stopping.wait()
        await asyncio.sleep(SEARCH + 0.5)  # longer than REQUEST_TIMEOUT
        await call.say(words(" erupts"), chunk({}, "stop"), DONE)

    upstream.says = says
    with closing(Client(service.port)) as client:
        client.read_until(b"Etna")
        service.terminate()
        service.wait_for("/livez", "ConnectionRefusedError")
        upstream.set(stopping)
        *_, erupts, stop, last = client.rest()
    assert service.wait_exit() == 0
    assert erupts["choices"][0]["delta"]["content"] == " erupts"
    assert (stop["choices"][0]["finish_reason"], last) == ("stop", "[DONE]")


def test_a_whole_answer_survives_a_drain(api: Api, upstream: ChatStandIn) -> None:
    """It has as long as a stream."""
    service = searched(api(REQUEST_TIMEOUT=SEARCH, STREAM_DRAIN_SECONDS=60))
    stopping = asyncio.Event()

    async def says(call: Call) -> None:
        await stopping.wait()
        await asyncio.sleep(SEARCH + 0.5)  # longer than REQUEST_TIMEOUT
        await call.say(completion("Etna [1]."))

    upstream.says = says
    with closing(Client(service.port, stream=False)) as client:
        until(lambda: upstream.calls, 15, "the call")
        service.terminate()
        service.wait_for("/livez", "ConnectionRefusedError")
        upstream.set(stopping)
        client.read_until(b"Etna [1].")
    assert service.wait_exit() == 0


def test_a_stream_that_outlasts_a_drain_ends_with_a_typed_event(api: Api, upstream: ChatStandIn) -> None:
    """It isn't cut in the midst of a word: its last event says that the service stops, and the call is cancelled."""
    service = api(STREAM_DRAIN_SECONDS=0.5)
    upstream.holds(EVENTS + words("Etna"))
    with closing(Client(service.port)) as client:
        client.read_until(b"Etna")
        service.terminate()
        etna, last = client.rest()
    assert service.wait_exit() == 0
    assert etna["choices"][0]["delta"]["content"] == "Etna"
    assert (last["error"]["type"], last["error"]["code"]) == ("unavailable_error", "stopping")
    until(lambda: upstream.left == 1, 15, "the call cancelled")
    assert "Traceback" not in service.log


def test_a_whole_answer_that_outlasts_a_drain_is_a_typed_error(api: Api, upstream: ChatStandIn) -> None:
    """It is a 503 that says when to come again, and not the 504 of a time limit of its own; the call is cancelled."""
    service = api(STREAM_DRAIN_SECONDS=0.5)
    upstream.holds(b"")
    with closing(Client(service.port, stream=False)) as client:
        until(lambda: upstream.calls, 15, "the call")
        service.terminate()
        client.read_until(b'"code": "stopping"')
    assert client.received.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1\r\n" in client.received.lower()
    until(lambda: upstream.left == 1, 15, "the call cancelled")
    assert service.wait_exit() == 0


def test_clients_that_leave_cancel_their_calls(api: Api, upstream: ChatStandIn) -> None:
    """Before the first word and between two, at once and not with the next word; each is counted."""
    service = api(CHAT_FIRST_TOKEN_TIMEOUT=600, CHAT_TOKEN_TIMEOUT=600)
    for number, says in enumerate((b"", EVENTS, EVENTS + words("Etna")), 1):
        upstream.holds(says)
        with closing(Client(service.port)) as client:
            if number == 3:
                client.read_until(b"Etna")
            until(lambda: len(upstream.calls) == number, 15, "the call")  # noqa: B023
        until(lambda: upstream.left == number, 15, "the call cancelled", lambda: service.log[-1000:])  # noqa: B023
        ended(service, "left", number)
    assert "Traceback" not in service.log


def test_a_slow_reader_holds_the_server_up(api: Api, upstream: ChatStandIn) -> None:
    """While a client doesn't read, nothing is gathered for it: the chat server has to wait, and then all comes."""
    service = api()
    before = psutil.Process(service.workers()[0]).memory_info().rss
    word = words("x" * 10_000)
    written, most = 0, 6000  # 60 MB: more than all buffers between the two

    async def says(call: Call) -> None:
        nonlocal written
        await call.say(EVENTS)
        for _ in range(most):
            await call.say(word)
            written += 1
        await call.say(chunk({}, "stop"), DONE)

    upstream.says = says
    with closing(Client(service.port)) as client:
        client.read_until(b"data: ")
        seen = -1

        def waits() -> bool:
            nonlocal seen
            last, seen = seen, written
            return last == written

        until(waits, 30, "the chat server waits", interval=0.5)
        assert written < most
        assert psutil.Process(service.workers()[0]).memory_info().rss - before < 30e6
        assert client.skip().endswith(DONE + b"\r\n0\r\n\r\n")
    ended(service, "answered")


def test_one_chat_too_many_is_refused(api: Api, upstream: ChatStandIn) -> None:
    """Beyond MAX_CHATS a chat gets 503 and when to come again; when one has ended, there is room again."""
    service = api(MAX_CHATS=1, CHAT_FIRST_TOKEN_TIMEOUT=600)
    upstream.holds(b"")
    with closing(Client(service.port)):
        until(lambda: upstream.calls, 15, "the call")
        refused = service.post(PATH, {"model": MODEL, "messages": ASKED})
        assert (refused.status, refused.json()["error"]["code"]) == (503, "too_many_chats")
        assert refused.headers["retry-after"] == "1"
        assert service.post("/v1/search", {"query": "a"}).status == 200
    ended(service, "left")
    upstream.says = saying(EVENTS + STREAM)
    with closing(Client(service.port)) as client:
        client.read_until(DONE)
    assert metric(service, 'api_chats_total{result="refused"}') == 1


def test_chats_under_way_leave_room_for_bodies(api: Api, upstream: ChatStandIn) -> None:
    """A long one holds its prompt, and neither its body nor the room for it, which other requests need."""
    service = api(MAX_BODY_BYTES=150_000, MAX_BODY_BYTES_IN_FLIGHT=200_000)
    upstream.holds(EVENTS + words("Etna"))
    with closing(Client(service.port, ignored="x" * 140_000)) as first:
        first.read_until(b"Etna")
        with closing(Client(service.port, ignored="x" * 140_000)) as second:
            second.read_until(b"Etna")
    ended(service, "left", 2)


def test_the_official_client_works(api: Api, upstream: ChatStandIn) -> None:
    """Whole and streamed, with the sources beside, and each error as the exception that it stands for."""
    service = api()
    client = OpenAI(base_url=f"http://127.0.0.1:{service.port}/v1", api_key="of-the-user", max_retries=0)
    asked: dict[str, Any] = {"model": MODEL, "messages": ASKED, "extra_body": {"documents": {"limit": 1}}}
    whole = client.chat.completions.create(**asked)
    assert whole.choices[0].message.content == "Etna erupts [1]."
    assert isinstance(whole.model_extra and whole.model_extra["sources"], list)

    first, *others = client.chat.completions.create(**asked, stream=True)
    assert isinstance(first.model_extra and first.model_extra["sources"], list)
    assert "".join(each.choices[0].delta.content or "" for each in others) == "Etna erupts [1]."

    upstream.says = saying(EVENTS + words("Etna"))
    with pytest.raises(APIError, match="broke off") as broken:
        list(client.chat.completions.create(**asked, stream=True))
    assert broken.value.code == "chat_broken"
    upstream.says = saying(plain(429, b"{}", Retry_After="7"))
    with pytest.raises(RateLimitError) as limited:
        client.chat.completions.create(**asked, stream=True)
    assert limited.value.response.headers["retry-after"] == "7"
    assert {call.headers["authorization"] for call in upstream.calls} == {f"Bearer {KEY}"}


def test_no_text_and_no_key_is_in_the_log(api: Api, upstream: ChatStandIn) -> None:
    """Neither the question, the sources, the answer nor the key, at the most talkative level, whatever fails."""
    service = api()
    document = {"id": "secret", "text": f"{TEXT} in a document"}
    assert service.post("/v1/documents", {"documents": [document]}).status == 200
    answers = [EVENTS + STREAM, EVENTS + words(TEXT), plain(500, TEXT.encode()), plain(400, KEY.encode()), b""]
    for number, says in enumerate(answers, 1):
        upstream.says = saying(says)
        with closing(Client(service.port)) as client:
            client.read_until(b'"error"' if number > 1 else DONE)
            assert KEY.encode() not in client.received
    until(lambda: service.log.count(f"POST {PATH}") == len(answers), 15, "a log line for each")
    assert not [line for line in service.log.splitlines() if TEXT in line or KEY in line]
