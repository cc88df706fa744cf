"""A stand-in for a chat server that says, byte for byte, what a test wants; it runs in a thread of its own."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from services.api.tests.helpers.in_thread import serving

MODEL = "said-by-a-test"
DONE = b"data: [DONE]\n\n"
ROLE = {"role": "assistant", "content": ""}
Says: TypeAlias = Callable[["Call"], Awaitable[None]]


@dataclass
class Call:
    """One request, and the connection that it came on."""

    line: str
    headers: dict[str, str]
    body: Any
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    keeps: bool = False  # whether the connection is kept for another one

    @property
    def sources(self) -> str:
        """The message of the user that has the sources."""
        return str(self.body["messages"][-1]["content"])

    async def say(self, *pieces: bytes) -> None:
        """Write them, one after the other."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def until_left(self) -> None:
        """Return when the other side has closed the connection."""
        while await self.reader.read(65536):
            pass


class ChatStandIn:
    """`says` answers calls for a completion, `models` is the whole answer to `GET /models`; with TLS by `context`."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.url = ""
        self._context = context
        self._loop = asyncio.new_event_loop()
        self.calls: list[Call] = []
        self.looks = 0  # at the models
        self.left = 0  # calls whose client has left
        self.models = plain(200, b'{"object": "list", "data": []}')
        self.says: Says = whole_or_streamed

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Serve on a free port of this machine."""
        with serving(self._serve, self._loop, self._context) as port:
            self.url = f"http://127.0.0.1:{port}/v1"
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Each connection has one request, unless `says` keeps it."""
        try:
            while (await self._answer(reader, writer)).keeps:
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left += 1
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call:
        line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        call = Call(line, headers, json.loads(body) if body else None, reader, writer)
        if line.startswith("GET"):
            self.looks += 1
            await call.say(self.models)
        else:
            self.calls.append(call)
            await self.says(call)
        return call

    def set(self, event: asyncio.Event) -> None:
        """It has happened."""
        self._loop.call_soon_threadsafe(event.set)

    def holds(self, *pieces: bytes) -> None:
        """Say this much, and then nothing until the client leaves."""

        async def says(call: Call) -> None:
            await call.say(*pieces)
            await call.until_left()
            self.left += 1

        self.says = says


def saying(*pieces: bytes) -> Says:
    """Answer with these bytes, and close the connection."""

    async def says(call: Call) -> None:
        await call.say(*pieces)

    return says


def plain(status: int, body: bytes, kind: str = "application/json", **headers: str) -> bytes:
    """A whole answer."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    )
    return head.encode() + body


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n"
CHUNKED = EVENTS.replace(b"Connection: close", b"Transfer-Encoding: chunked")


def chunk(delta: dict[str, Any] | None, finish_reason: str | None = None, **more: Any) -> bytes:
    """An event with a chunk, as OpenAI writes it; without a delta it has no choices."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    head = {"id": "theirs", "object": "chat.completion.chunk", "created": 1, "model": "their-name-of-it"}
    return b"data: %b\n\n" % json.dumps({**head, "choices": [] if delta is None else [choice], **more}).encode()


def words(*said: str) -> bytes:
    """The chunks of these words."""
    return b"".join(chunk({"content": each}) for each in said)


STREAM = chunk(ROLE) + words("Etna", " erupts", " [1].") + chunk({}, "stop") + DONE


def completion(text: str) -> bytes:
    """A whole completion."""
    message = {"role": "assistant", "content": text, "refusal": None}
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    head = {"id": "theirs", "object": "chat.completion", "created": 1, "model": "their-name-of-it"}
    return plain(200, json.dumps({**head, "choices": [choice], "usage": usage}).encode())


async def whole_or_streamed(call: Call) -> None:
    """A good answer of either kind."""
    await call.say(EVENTS + STREAM if call.body["stream"] else completion("Etna erupts [1]."))
