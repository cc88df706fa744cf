"""What every answer leaves behind: a log line, two metrics and, while draining, `Connection: close`."""

import logging
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.metrics import REQUESTS, SECONDS
from servicekit.phase import Phase
from servicekit.probes import is_probe

log = logging.getLogger("servicekit.access")

CLOSE = (b"connection", b"close")


class Access:
    """The outermost middleware. Metrics carry the route's template, never the raw path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and account for it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        status = 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                lifecycle = scope["app"].state.lifecycle
                if lifecycle and lifecycle.phase not in (Phase.WARMING, Phase.READY):
                    # Without it pooled clients lose requests when the listener closes (field note 31).
                    message["headers"] = [*message.get("headers", ()), CLOSE]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            _account(scope, status, perf_counter() - began)


def _account(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "unmatched")
    REQUESTS.labels(scope["method"], route, status).inc()
    SECONDS.labels(scope["method"], route).observe(seconds)
    level = logging.DEBUG if is_probe(scope["path"]) else logging.INFO
    if log.isEnabledFor(level):
        fields = {
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "ms": round(seconds * 1000, 2),
        }
        log.log(level, "%(method)s %(path)s %(status)d %(ms).2f ms", fields, extra=fields)
