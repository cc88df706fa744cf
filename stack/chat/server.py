"""The routes."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from . import MODEL
from .completion import DONE, Answer, Question, error, tokens
from .counts import Counts, Cut
from .sources import answer
from .switches import Board, Switches

BODY_BYTES = 16 * 2**20
OWNER = "warmstart: echoes sources, no language model"
MODELS = {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": OWNER}]}
EVENTS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}


class Server:
    """The handlers, and what they share."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.board = Board()

    async def completions(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/chat/completions`."""
        now = self.board.now
        if now.status:
            self.counts.refused += 1
            headers = {} if now.retry_after is None else {"Retry-After": str(now.retry_after)}
            kind = "rate_limit_error" if now.status == 429 else "server_error"
            return web.json_response(error("a switch says so", kind), status=now.status, headers=headers)
        try:
            question = Question.model_validate_json(await request.read())
        except ValidationError as invalid:
            return web.json_response(error(_first(invalid), "invalid_request_error"), status=400)
        if question.model != MODEL:
            wrong = error(f"the only model is {MODEL}", "invalid_request_error", "model_not_found")
            return web.json_response(wrong, status=404)
        try:
            with self.counts.call():
                return await (self._stream if question.stream else self._whole)(request, question)
        except Cut:
            if request.transport:
                request.transport.abort()
            return web.Response()  # to nobody

    async def _whole(self, _: web.Request, question: Question) -> web.Response:
        reply = _begin(question)
        async with aclosing(self._told(question, reply)) as told:
            async for _token in told:
                pass
        return web.json_response(reply.whole())

    async def _stream(self, request: web.Request, question: Question) -> web.StreamResponse:
        response = web.StreamResponse(headers=EVENTS)
        await response.prepare(request)
        reply = _begin(question)
        async with aclosing(self._told(question, reply)) as told:
            async for token in told:
                if len(reply.said) == 1:
                    await response.write(_event(reply.chunk(role="assistant", content="")))
                await response.write(_event(reply.chunk(content=token)))
        await response.write(_event(reply.chunk(reply.finish_reason)))
        if question.stream_options and question.stream_options.include_usage:
            await response.write(_event(reply.last_chunk()))
        await response.write(DONE)
        return response

    async def _told(self, question: Question, reply: Answer) -> AsyncGenerator[str, None]:
        """The tokens of the answer at their rate, each once it is in `reply`. Raises Cut."""
        wanted = tokens(answer(question.last))
        reply.cut_off = len(wanted) > (question.most_tokens or len(wanted))
        await asyncio.sleep(self.board.now.first_token_seconds)
        for token in wanted[: question.most_tokens]:
            await self._goes_on(len(reply.said))
            reply.said.append(token)
            yield token
            await asyncio.sleep(1 / self.board.now.tokens_per_second)
        await self._goes_on(len(reply.said))

    async def _goes_on(self, said: int) -> None:
        """Return when the next token may come. Raises Cut."""
        while _reached(self.board.now.silent_after, said):
            await self.board.changed()
        if _reached(self.board.now.cut_after, said):
            raise Cut

    async def models(self, _: web.Request) -> web.Response:
        """`GET /v1/models`."""
        return web.json_response(MODELS)

    async def count(self, _: web.Request) -> web.Response:
        """`GET /counts`."""
        return web.json_response(asdict(self.counts))

    async def switch(self, request: web.Request) -> web.Response:
        """`PUT /switches`: the body has those that are not as by default."""
        try:
            self.board.set(Switches.model_validate_json(await request.read()))
        except ValidationError as invalid:
            return web.json_response(error(_first(invalid), "invalid_request_error"), status=400)
        return await self.switches(request)

    async def switches(self, _: web.Request) -> web.Response:
        """`GET /switches`."""
        return web.json_response(self.board.now.model_dump())


def application() -> web.Application:
    """The application. It needs a runner that cancels the handlers of clients that have left."""
    server = Server()
    app = web.Application(client_max_size=BODY_BYTES)
    app.add_routes(
        [
            web.post("/v1/chat/completions", server.completions),
            web.get("/v1/models", server.models),
            web.get("/counts", server.count),
            web.get("/switches", server.switches),
            web.put("/switches", server.switch),
        ]
    )
    return app


def _begin(question: Question) -> Answer:
    return Answer([], asked=sum(len(tokens(each.text)) for each in question.messages))


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def _reached(limit: int | None, said: int) -> bool:
    return limit is not None and said >= limit


def _first(invalid: ValidationError) -> str:
    """The first mistake, without what was sent."""
    found = invalid.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, found['loc'])) or 'body'}: {found['msg']}"
