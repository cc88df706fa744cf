"""Probes and metrics, answered before any part of the application sees the request."""

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp, Receive, Scope, Send

from warmstart.http import metrics, probes
from warmstart.http.errors import ErrorFormat, install_errors
from warmstart.http.operators import WITHHELD, Operators
from warmstart.http.paths import path_of

# Of FastAPI's own spans, metrics and logs: they hold queries and the messages of errors, which may quote a user's text.
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


class Operations:
    """Answers the paths of probes and metrics, so that authentication or a catch-all route can't hide them."""

    def __init__(self, app: ASGIApp, owner: FastAPI, error_format: ErrorFormat, operators: Operators) -> None:
        self._app = app
        self._operators = operators
        self._operations = FastAPI(title=owner.title, version=owner.version, openapi_url=None, telemetry=NO_TELEMETRY)
        self._operations.state = owner.state
        if error_format == "envelope":
            install_errors(self._operations)
        self._operations.include_router(probes.router)
        self._operations.include_router(metrics.router)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and probes.is_operation(path_of(scope)):
            scope.setdefault("state", {})[WITHHELD] = not self._operators.may_read(scope)
            await self._operations(scope, receive, send)
        else:
            await self._app(scope, receive, send)
