"""Adds to every answer its id, security headers, a log line, metrics and, while draining, `Connection: close`."""

import logging
from collections.abc import Collection
from time import perf_counter

from starlette.datastructures import State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warmstart import request_id
from warmstart.http import exemplars, request_metrics
from warmstart.http.paths import logged_path, path_of
from warmstart.http.probes import is_operation
from warmstart.lifecycle.phase import Phase
from warmstart.security_headers import SecurityHeaders
from warmstart.traces import now

log = logging.getLogger("warmstart.access")

LINE = "%(method)s %(path)s %(status)d %(ms).2f ms"
LINE_WITH_CALLER = f"{LINE} %(caller)s"
CLOSE = (b"connection", b"close")
STARTS = {"http.response.start", "websocket.http.response.start", "websocket.accept"}
# 101 is no answer that a browser keeps. A 304's headers replace those of the answer that it has kept (RFC 9111,
# section 3.2): a default would take the place of the application's own.
BARE = {101, 304}
ENDS = {"http.response.body", "websocket.http.response.body"}


class Access:
    """The outermost middleware. Metrics carry the route's template, never the raw path.

    Probes, `/metrics` and `quiet` paths are logged at debug. A WebSocket is a request whose method is `WEBSOCKET`: 101
    when it was accepted, 403 when it was refused; it ends when it is closed. The line names `request.state.caller`, if
    there is one.
    """

    def __init__(self, app: ASGIApp, state: State, quiet: Collection[str], security: SecurityHeaders) -> None:
        self._app = app
        self._security = security
        self._state = state  # the application's; inside of a mounted one the scope names that
        self._quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and account for it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, self._quiet)

        async def send_and_note(message: Message) -> None:
            if message["type"] in STARTS:
                message = {**message}  # the application's own, which it may send again
                answer.begins(message, self._security)
                # uvicorn cuts the connection after an unexpected error. Else the header is for pooled clients: they
                # lose requests when the listener closes (14 of 8,000), or stay with a replica that starts.
                lifecycle = self._state.lifecycle
                if answer.status == 500 or (lifecycle and lifecycle.phase is not Phase.READY):
                    _end_connection(message)
            elif message["type"] == "websocket.close":
                answer.is_refused()
            await send(message)
            if message["type"] in ENDS and not message.get("more_body"):
                answer.ends()

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            answer.ends()


def _end_connection(message: Message) -> None:
    """Say so once: frameworks for server-sent events add `Connection: keep-alive`."""
    others = [header for header in message["headers"] if header[0].lower() != CLOSE[0]]
    if message["type"] != "websocket.accept":  # whose handshake has a `Connection` of its own
        message["headers"] = [*others, CLOSE]


class _Answer:
    """One answer, from its request to its last byte. Background tasks, which run later, are not part of it."""

    def __init__(self, scope: Scope, quiet: Collection[str]) -> None:
        self.status = 500  # unless it begins
        self._begun = False
        self._scope = scope
        self._quiet = quiet
        self._method = scope.get("method", "WEBSOCKET")
        self._began = perf_counter()
        self._ended = False
        self._named = (request_id.RAW_HEADER, request_id.begin(scope).encode())
        self._counted_as = request_metrics.known(self._method)
        request_metrics.UNDER_WAY[self._counted_as] += 1

    def begins(self, message: Message, security: SecurityHeaders) -> None:
        """The head of the answer is about to be sent."""
        self._begun = True
        self.status = message.get("status", 101)
        headers = message.get("headers", ())
        added = security.missing(headers) if self.status not in BARE else ()
        message["headers"] = [*headers, *added, self._named]

    def is_refused(self) -> None:
        """A WebSocket is closed. Before it was accepted, the server answers 403."""
        if not self._begun:
            self.status = 403

    def ends(self) -> None:
        """The answer was sent, or never will be."""
        if self._ended:
            return
        self._ended = True
        request_metrics.UNDER_WAY[self._counted_as] -= 1
        seconds = perf_counter() - self._began
        route = template_of(self._scope)
        request_metrics.duration(self._counted_as, route, self.status).observe(seconds)
        if traced := now.current():
            exemplars.note(self._counted_as, route, self.status, seconds, traced.trace_id)
        path = path_of(self._scope)
        level = logging.DEBUG if is_operation(path) or path in self._quiet else logging.INFO
        if log.isEnabledFor(level):
            fields = {
                "method": self._method,
                "path": logged_path(self._scope),
                "status": self.status,
                "ms": round(seconds * 1000, 2),
            }
            line = LINE
            if caller := self._scope.get("state", {}).get("caller"):  # left there by what has authenticated it
                fields["caller"], line = caller, LINE_WITH_CALLER
            # As `log.log` does it, but for the search of the line of code that wrote it, which takes 3 µs.
            log.handle(log.makeRecord(log.name, level, __file__, 0, line, (fields,), None, extra=fields))


def template_of(scope: Scope) -> str:
    """The path of the route that took the request, with its parameters' names."""
    # FastAPI keeps the path with its router's prefix here; `scope["route"]` has it without.
    context = scope.get("fastapi", {}).get("effective_route_context")
    for route in (context, getattr(context, "starlette_route", None), scope.get("route")):
        if path := getattr(route, "path", None):
            return str(path)
    return request_metrics.UNMATCHED
