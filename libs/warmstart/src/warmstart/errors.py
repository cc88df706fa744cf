"""Typed errors of a service, and the answer for each.

The body is `{"error": {"message", "type", "param", "code"}}`, as in OpenAI's API. No web framework is needed here:
gunicorn's master imports the code of connections, which answers some errors before any application sees the request.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

LONGEST_NAME = 100  # characters of a name that a request gives and its error repeats
LONGEST_MESSAGE = 1000  # characters of a message that somebody else writes, and that may repeat a value


def shortened(text: str, most: int = LONGEST_NAME) -> str:
    """The text, or as much of its beginning as fits in so many characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


class ServiceError(HTTPException):
    """An error with a place in the contract. `retry_after` is in seconds.

    It is an HTTPException because FastAPI reports any other error, raised while it reads a body, as a body that can't
    be parsed. `starlette.exceptions` takes 1 ms to import, and the standard library's `http.client` 7 ms with it.
    """

    status = 500
    type = "server_error"
    code = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        headers = dict(headers or {})
        if retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
        super().__init__(self.status, message, headers)
        self.message = message
        self.param = param
        self.code = code or self.code
        self.retry_after = retry_after


class BadRequest(ServiceError):
    status, type, code = 400, "invalid_request_error", "invalid_value"


class Unauthorized(ServiceError):
    status, type, code = 401, "authentication_error", "invalid_api_key"


class NotFound(ServiceError):
    status, type, code = 404, "invalid_request_error", "not_found"


class RequestTimeout(ServiceError):
    status, type, code = 408, "timeout_error", "request_timeout"


class PayloadTooLarge(ServiceError):
    status, type, code = 413, "invalid_request_error", "body_too_large"


class UnsupportedEncoding(ServiceError):
    """`encoding` is the request's Content-Encoding. The answer says what is accepted (RFC 9110, section 15.5.16)."""

    status, type, code = 415, "invalid_request_error", "unsupported_content_encoding"

    def __init__(self, encoding: str) -> None:
        message = f"Content-Encoding: {encoding[:40]} is not supported; send the body as it is"
        super().__init__(message, headers={"Accept-Encoding": "identity"})


class UriTooLong(ServiceError):
    status, type, code = 414, "invalid_request_error", "uri_too_long"


class QuotaExceeded(ServiceError):
    status, type, code = 429, "rate_limit_error", "quota_exceeded"


class HeadersTooLarge(ServiceError):
    """`limit` is in bytes."""

    status, type, code = 431, "invalid_request_error", "headers_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the request's headers are larger than the limit of {limit} bytes")


class ClientGone(ServiceError):
    """The client closed the connection, so nobody reads the answer (499 is nginx's number for the log)."""

    status, type, code = 499, "invalid_request_error", "client_gone"


class Unavailable(ServiceError):
    status, type, code = 503, "unavailable_error", "unavailable"


class NotReady(Unavailable):
    code = "not_ready"


class Stopping(Unavailable):
    code = "stopping"


class Overloaded(Unavailable):
    type, code = "overloaded_error", "overloaded"


class DependencyUnavailable(Unavailable):
    code = "dependency_unavailable"

    def __init__(self, name: str, reason: str, *, param: str | None = None, retry_after: float | None = 1) -> None:
        super().__init__(f"{name} is unavailable: {reason}", param=param, retry_after=retry_after)
        self.reason = reason


class DeadlineExceeded(ServiceError):
    status, type, code = 504, "timeout_error", "deadline_exceeded"


@dataclass(frozen=True)
class Answer:
    """A whole answer, as an ASGI application. `headers` are as ASGI has them, with names in lower case."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer to a request, or instead of a WebSocket's handshake."""
        kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
        await send({"type": f"{kind}.start", "status": self.status, "headers": self.headers})
        await send({"type": f"{kind}.body", "body": self.body})


def respond(error: ServiceError) -> Answer:
    """The answer for `error`."""
    kind, code, headers = error.type, error.code, error.headers
    return enveloped(error.status, error.message, kind=kind, code=code, param=error.param, headers=headers)


def enveloped(
    status: int,
    message: str,
    *,
    kind: str,
    code: str,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
    detail: object = None,
) -> Answer:
    """The answer for an error: a message, and stable names. `param` is the path of the offending field.

    `detail` is an object that an application adds.
    """
    error = {"message": message, "type": kind, "param": param, "code": code}
    # ASCII only: a field's name may hold what UTF-8 can't, such as a lone surrogate.
    body = json.dumps({"error": error if detail is None else error | {"detail": detail}}).encode("ascii")
    all_headers = {**(headers or {}), "content-length": str(len(body)), "content-type": "application/json"}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in all_headers.items()]
    return Answer(status, raw, body)
