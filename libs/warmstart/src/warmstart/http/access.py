"""What every answer leaves behind: its id, a log line, two metrics and, while draining, `Connection: close`."""

import logging
from collections.abc import Collection
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warmstart import request_id
from warmstart.http.metrics import REQUESTS, SECONDS
from warmstart.http.probes import is_probe
from warmstart.lifecycle.phase import Phase

log = logging.getLogger("warmstart.access")

CLOSE = (b"connection", b"close")


class Access:
    """The outermost middleware. Metrics carry the route's template, never the raw path.

    Probes and `quiet` paths are logged at debug.
    """

    def __init__(self, app: ASGIApp, quiet: Collection[str]) -> None:
        self._app = app
        self._quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and account for it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        named = (request_id.RAW_HEADER, request_id.begin(scope).encode())
        status = 500
        state = scope["app"].state  # a mounted application puts itself in the scope

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"] = [*message.get("headers", ()), named]
                if status == 500 or (state.lifecycle and state.lifecycle.phase is not Phase.READY):
                    # uvicorn cuts the connection after an unexpected error. Else it is for pooled clients, which lose
                    # requests when the listener closes (14 of some 8,000), or stay with a replica that starts.
                    headers.append(CLOSE)
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            self._account(scope, status, perf_counter() - began)

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        path, method = scope["path"], scope["method"]
        route = _template(scope)
        REQUESTS.labels(method, route, status).inc()
        SECONDS.labels(method, route).observe(seconds)
        level = logging.DEBUG if is_probe(path) or path in self._quiet else logging.INFO
        if log.isEnabledFor(level):
            sent = scope["raw_path"].decode("ascii", "backslashreplace")  # as it came: decoded, it could forge lines
            fields = {"method": method, "path": sent, "status": status, "ms": round(seconds * 1000, 2)}
            log.log(level, "%(method)s %(path)s %(status)d %(ms).2f ms", fields, extra=fields)


def _template(scope: Scope) -> str:
    # FastAPI keeps the path with its router's prefix here; `scope["route"]` has it without.
    context = scope.get("fastapi", {}).get("effective_route_context")
    return getattr(context or scope.get("route"), "path", "unmatched")
