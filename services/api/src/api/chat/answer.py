"""The answer to one chat, from its search to its last byte: whole, or as a stream of events."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from api.chat.completion import Writer, read
from api.chat.errors import ITSELF, LOOP_HEADER, ChatLoop, ChatUnavailable
from api.chat.events import DONE, failed, written
from api.chat.prompt import excerpts, prompt
from api.chat.resource import CHAT, Chat
from api.chat.result import noted
from api.chat.server import ChatServer, body_of
from api.chat.stream import streamed
from api.chat.within import within
from api.chat_results import KEY, Ended
from api.embedding import Field
from api.metrics import STAGES
from api.retrieval import retrieve
from api.schemas.chat import PASSED, ChatRequest, Source
from api.settings import ApiSettings
from api.store.search import Store
from warmstart import Lifecycle
from warmstart.errors import ClientGone, DependencyUnavailable, ServiceError
from warmstart.http.body_limit import release_body
from warmstart.http.deadline import lasting
from warmstart.http.disconnect import unless_disconnected
from warmstart.http.timing import Timings

log = logging.getLogger("api.chat")

STAGE = "chat"  # of Server-Timing: until the first word of a stream, or the end of a whole answer
# A proxy must neither keep events nor gather them (the last header is nginx's).
EVENTS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", "x-accel-buffering": "no"}


class ChatAnswer(Response):
    """Answers one chat.

    All of the work is done while the answer is sent, in one place, so that whatever ends it early leaves nothing open.
    Until the first word of the answer is there, an error has its status. After it an error is the stream's last event.
    """

    def __init__(self, request: Request, body: ChatRequest, asked: int, readable: Sequence[Store]) -> None:
        self.status_code, self.background = 200, None
        self.init_headers({})
        self._request = request
        self._body = body
        self._asked = asked
        self._readable = readable
        self._settings: ApiSettings = request.app.state.settings
        self._timings = Timings()
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer. Raises a ServiceError as long as nothing was sent."""
        try:
            with noted(scope[KEY]):
                chat = self._chat()
                with chat.turns.turn(), chat.failures.told():
                    await self._answer(chat.server, send, scope[KEY])
        except ServiceError as error:
            if not self._begun:
                raise
            if not isinstance(error, ClientGone):
                log.warning("an answer ended early: %s", error.message)
                await _send_body(send, failed(error), more=False)

    def _chat(self) -> Chat:
        lifecycle: Lifecycle = self._request.app.state.lifecycle
        try:
            return lifecycle.value(CHAT)
        except DependencyUnavailable as error:
            raise ChatUnavailable(error.reason) from error

    async def _answer(self, server: ChatServer, send: Send, ended: Ended) -> None:
        if LOOP_HEADER in self._request.headers:
            raise ChatLoop(ITSELF)
        sources, texts = await self._search()
        payload = self._payload(texts)
        writer = Writer(self._body.model, sources)
        ended.asked = True
        work = self._stream if self._body.stream else self._whole
        lasting(self._request, failed)  # REQUEST_TIMEOUT was for the search
        release_body(self._request)  # a chat holds its prompt, and for minutes no other request's room
        del self._body
        async with within(self._settings.chat_timeout, "the answer took longer than CHAT_TIMEOUT"):
            # Its last message is sent outside: after it, a client counts as one that has left.
            last = await unless_disconnected(self._request, work(server, payload, writer, send))
        await _send_body(send, last, more=False)

    async def _search(self) -> tuple[list[Source], list[str]]:
        """The sources, and their texts as the prompt has them."""
        wanted = self._body.documents
        query, field = self._body.messages[self._asked].content, Field("messages", f"messages.{self._asked}.content")
        found, self._timings = await retrieve(
            self._request, query, field, self._readable, limit=wanted.limit, equals=wanted.filter
        )
        texts = excerpts(found, self._settings.max_source_characters)
        sources = [
            Source(number=number, id=each.id, score=each.score, metadata=each.metadata if wanted.metadata else None)
            for number, each in enumerate(found[: len(texts)], 1)
        ]
        return sources, texts

    def _payload(self, texts: Sequence[str]) -> bytes:
        messages = prompt(self._body.messages, self._asked, texts)
        return orjson.dumps(call(self._body, self._settings.chat_model or "", messages))

    async def _whole(self, server: ChatServer, payload: bytes, writer: Writer, send: Send) -> bytes:
        asked_at = time.perf_counter()
        async with server.asked(payload) as response:
            said = read(await body_of(response), "message")
        body = writer.whole(said)
        await self._begin(send, {"content-type": "application/json", "content-length": str(len(body))}, asked_at)
        return body

    async def _stream(self, server: ChatServer, payload: bytes, writer: Writer, send: Send) -> bytes:
        """Nothing is gathered: while the client doesn't read, the server is not read either."""
        asked_at = time.perf_counter()
        async with streamed(server, payload, self._settings) as stream:
            held = [written(writer.chunk(said, first=place == 0)) for place, said in enumerate(stream.held)]
            await self._begin(send, EVENTS, asked_at)
            for event in held:
                await _send_body(send, event)
            while (more := await stream.next()) is not None:
                await _send_body(send, written(writer.chunk(more, first=False)))
        return DONE

    async def _begin(self, send: Send, headers: Mapping[str, str], asked_at: float) -> None:
        self._timings[STAGE] = time.perf_counter() - asked_at
        STAGES.observe(self._timings)
        self.init_headers({**headers, "server-timing": self._timings.header()})
        self._begun = True
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})


def call(body: ChatRequest, model: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """The call for the chat server: of the caller's fields those that `PASSED` names."""
    passed = {name: value for name in PASSED if (value := getattr(body, name)) is not None}
    options = {"stream_options": {"include_usage": True}} if body.stream and body.wants_usage else {}
    return {"model": model, "messages": messages, "stream": body.stream, **options, **passed}


async def _send_body(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
