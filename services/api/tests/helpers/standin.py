"""A stand-in for the worker: a real HTTP server with the worker's routes, which a test can make misbehave."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from aiohttp import web

Misbehaviour: TypeAlias = Callable[[web.Request, list[Any]], Awaitable[web.StreamResponse | None]]

DIMENSIONS = 4
ERROR = {"message": "", "type": "", "param": None, "code": ""}


class StandIn:
    """Answers every text with its length; `before` runs first and may answer, wait, or cut the connection.

    With `keeps` False, every answer says `Connection: close`, as one does on a connection that has reached its age.
    """

    def __init__(self) -> None:
        self.fingerprint = "fp-1"
        self.keeps = True
        self.calls: list[list[Any]] = []
        self.budgets: list[float] = []
        self.call_tokens: list[int] = []
        self.cancelled = 0
        self.connections: set[asyncio.Transport | None] = set()
        self.before: Misbehaviour | None = None
        self.url = ""

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        """Like the worker's `POST /embeddings/` in its binary form."""
        body = await request.json()
        items: list[Any] = body.get("texts") or body["token_ids"]
        self.calls.append(items)
        self.connections.add(request.transport)
        self.budgets.append(float(request.headers["X-Request-Timeout"]))
        self.call_tokens.append(int(request.headers.get("X-Call-Tokens", 0)))
        try:
            if self.before and (answer := await self.before(request, items)):
                return answer
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        rows = b"".join(struct.pack(f"<{DIMENSIONS}f", len(item), 0, 0, 0) for item in items)
        headers = {
            "X-Model-Fingerprint": self.fingerprint,
            "X-Dimensions": str(DIMENSIONS),
            "X-Text-Tokens": ",".join(str(len(item)) for item in items),
            "Server-Timing": "tokenize;dur=1.0, queue;dur=2.0, inference;dur=3.0",
        }
        answer = web.Response(body=rows, headers=headers)
        if not self.keeps:
            answer.force_close()
        return answer

    async def model(self, _: web.Request) -> web.Response:
        """Like the worker's `GET /model`."""
        identity = {
            "model": "stand-in",
            "dimensions": DIMENSIONS,
            "max_tokens": 256,
            "engine": "fake",
            "precision": "fp32",
        }
        return web.json_response({**identity, "fingerprint": self.fingerprint})

    @asynccontextmanager
    async def running(self, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator["StandIn"]:
        """Serve on this machine, on a free port unless one is given."""
        app = web.Application()
        app.router.add_post("/embeddings/", self.embeddings)
        app.router.add_get("/model", self.model)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        self.url = f"http://{host}:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


def refuse(status: int, *, retry_after: int | None = None, **error: Any) -> Misbehaviour:
    """Answer every call with this error."""

    async def before(_: web.Request, __: list[Any]) -> web.StreamResponse:
        headers = {"Retry-After": str(retry_after)} if retry_after else {}
        return web.json_response({"error": {**ERROR, **error}}, status=status, headers=headers)

    return before


def cut(times: int) -> Misbehaviour:
    """Reset the connection of the first calls."""
    left = times

    async def before(request: web.Request, _: list[Any]) -> None:
        nonlocal left
        if left:
            left -= 1
            assert request.transport
            request.transport.abort()

    return before


def cut_known(worker: StandIn) -> Misbehaviour:
    """Reset every call that comes on a connection which the stand-in has served before, as a restart would."""
    known = set(worker.connections)

    async def before(request: web.Request, _: list[Any]) -> None:
        if request.transport and request.transport in known:
            request.transport.abort()

    return before


def hold(until: asyncio.Event) -> Misbehaviour:
    """Answer every call only after the event."""

    async def before(_: web.Request, __: list[Any]) -> None:
        await until.wait()

    return before
