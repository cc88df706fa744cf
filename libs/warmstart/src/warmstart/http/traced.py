"""Makes the span of each HTTP request, around everything that is done for it."""

from collections.abc import Collection

from opentelemetry.trace import StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warmstart import request_id
from warmstart.http.access import template_of
from warmstart.http.paths import path_of
from warmstart.http.probes import is_operation
from warmstart.traces import now

SENT = (b"traceparent", b"tracestate")  # W3C Trace Context


class Traced:
    """Only where traces are on. Names follow OpenTelemetry's semantic conventions for HTTP servers.

    Probes, `/metrics` and `quiet` paths have no span, and a WebSocket has none. A span ends with the answer's last
    byte: background tasks, which run later, are not part of it.
    """

    def __init__(self, app: ASGIApp, quiet: Collection[str]) -> None:
        self._app = app
        self._quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or is_operation(path := path_of(scope)) or path in self._quiet:
            await self._app(scope, receive, send)
            return
        received = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in SENT}
        method = scope["method"]
        about = {"http.request.method": method, "url.scheme": scope["scheme"]}  # the path may hold a user's words
        with now.span(method, about, "server", received) as span:

            async def send_and_note(message: Message) -> None:
                if span and message["type"] == "http.response.start":
                    route = template_of(scope)
                    span.update_name(f"{method} {route}")
                    span.set_attributes({"http.route": route, "http.response.status_code": message["status"]})
                    span.set_attribute("request.id", request_id.current() or "")
                    if message["status"] >= 500:
                        span.set_attribute("error.type", str(message["status"]))
                        span.set_status(StatusCode.ERROR)
                await send(message)
                if span and message["type"] == "http.response.body" and not message.get("more_body"):
                    span.end()

            await self._app(scope, receive, send_and_note if span else send)
