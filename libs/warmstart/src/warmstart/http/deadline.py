"""The time budget of one request, which travels from service to service."""

import asyncio
import math

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warmstart.errors import DeadlineExceeded, respond
from warmstart.http.probes import is_probe

HEADER = "X-Request-Timeout"
_HEADER = HEADER.lower().encode()


def remaining(request: Request) -> float:
    """Seconds left of this request's budget."""
    deadline: float = request.scope["warmstart.deadline"]
    return max(0.0, deadline - asyncio.get_running_loop().time())


class Deadline:
    """Answers 504 when the budget is spent: the caller's `X-Request-Timeout` seconds, `limit` at most."""

    def __init__(self, app: ASGIApp, limit: float) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request within its budget."""
        if scope["type"] != "http" or is_probe(scope["path"]):
            await self._app(scope, receive, send)
            return
        deadline = scope["warmstart.deadline"] = asyncio.get_running_loop().time() + self._budget(scope)
        begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            async with asyncio.timeout_at(deadline) as budget:
                await self._app(scope, receive, send_and_note)
        except TimeoutError:
            if begun or not budget.expired():
                raise
            await respond(DeadlineExceeded("the request's time budget is spent"))(scope, receive, send)

    def _budget(self, scope: Scope) -> float:
        asked = dict(scope["headers"]).get(_HEADER, b"")
        try:
            seconds = float(asked)
        except ValueError:
            return self._limit
        return min(seconds, self._limit) if math.isfinite(seconds) and seconds > 0 else self._limit
