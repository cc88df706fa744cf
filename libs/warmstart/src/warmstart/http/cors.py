"""Calls by browsers from other origins: which are allowed, and what their scripts may read of an answer."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Send

from warmstart.errors import BadRequest, respond
from warmstart.http.errors import as_response

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")  # what a path lacks of them is its 405
EXPOSED = ("X-Request-ID", "Server-Timing", "Retry-After", "RateLimit", "RateLimit-Policy")


class Cors(CORSMiddleware):
    """Starlette's middleware, with the error envelope for a refused preflight.

    A preflight needs no key, and no cookies are allowed.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(app, origins, allow_methods=METHODS, allow_headers=("*",), expose_headers=EXPOSED)

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to `OPTIONS` with `Access-Control-Request-Method`."""
        answer = super().preflight_response(request_headers)
        if answer.status_code == 200:
            return answer
        return as_response(respond(BadRequest(bytes(answer.body).decode(), code="cors_refused")))

    async def send(self, message: Message, send: Send, request_headers: Headers) -> None:
        """Add the headers to a copy: the application may send the same message again."""
        await super().send({**message}, send, request_headers)
