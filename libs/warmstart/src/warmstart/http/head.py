"""HEAD: every GET route must answer it (RFC 9110, section 9.3.2), and FastAPI's routes do not."""

import asyncio
from collections.abc import Iterable

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warmstart.http.paths import path_of
from warmstart.http.probes import is_operation

HAS_NO_BODY = {204, 304}
LENGTH = b"content-length"


class HeadAsGet:
    """Answers HEAD as GET, unless a route takes HEAD itself; the server still sees HEAD, and sends only the headers.

    An answer without a length ends after its head: nobody would read it, and it may be a stream without an end.
    """

    def __init__(self, app: ASGIApp, owner: FastAPI) -> None:
        self._app = app
        self._owner = owner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        passed = scope if self._has_route(scope) else {**scope, "method": "GET"}
        ended = False

        async def send_head(message: Message) -> None:
            nonlocal ended
            if ended:
                return
            scope.update(passed, method="HEAD")  # the route that matched, for the log and the metrics
            await send(message)
            if _has_no_length(message):
                ended = True
                await send({"type": "http.response.body", "body": b""})
                working.reschedule(asyncio.get_running_loop().time())

        try:
            async with asyncio.timeout(None) as working:
                await self._app(passed, receive, send_head)
        except TimeoutError:
            if not ended:
                raise

    def _has_route(self, scope: Scope) -> bool:
        root_path = self._owner.root_path or scope.get("root_path", "")  # as FastAPI sets it
        return not is_operation(path_of(scope)) and _takes_head(self._owner.routes, {**scope, "root_path": root_path})


def _has_no_length(message: Message) -> bool:
    """Whether a body of unknown length follows."""
    if message["type"] != "http.response.start":
        return False
    known = any(name.lower() == LENGTH for name, _ in message.get("headers", ()))
    return not known and message["status"] not in HAS_NO_BODY


def _takes_head(routes: Iterable[BaseRoute], scope: Scope) -> bool:
    """Whether HEAD reaches a route for it, also in a mounted application, and hides no GET route before that."""
    hides = False
    for route in iter_route_contexts(list(routes)):
        match, child = route.matches(scope)
        methods = route.methods or ()
        if match is Match.PARTIAL:
            hides = hides or "GET" in methods
        elif match is Match.FULL:
            if hides and methods != {"HEAD"}:
                return False
            return "HEAD" in methods or _takes_head(getattr(route, "routes", ()), {**scope, **child})
    return False
