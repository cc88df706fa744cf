"""The api without metrics, and without the middleware that logs, counts and names requests.

Without API_KEYS no key is checked either. Its answers have the security headers, which guard and don't watch.
"""

from typing import Any

from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.app import create_app
from warmstart.http import install
from warmstart.security_headers import SecurityHeaders


def _nothing(*_: Any) -> None:
    """In place of counting."""


class Passing:
    """In place of `warmstart.http.access.Access`: it adds the security headers only.

    Access itself takes 4 µs of a request (two vCPUs of an AMD EPYC, 2026-11-29) when nothing counts and nothing logs.
    """

    def __init__(self, app: ASGIApp, _state: object, _quiet: object, security: SecurityHeaders) -> None:
        self._app, self._security = app, security

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                message["headers"] = [*headers, *self._security.missing(headers)]
            await send(message)

        await self._app(scope, receive, with_headers)


for kind, names in ((Counter, ["inc"]), (Gauge, ["inc", "dec", "set"]), (Histogram, ["observe"])):
    for name in names:
        setattr(kind, name, _nothing)
vars(install)["Access"] = Passing  # where every application takes it from

__all__ = ["create_app"]
