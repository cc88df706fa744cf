"""Typed errors, and the one place that maps them to HTTP.

Every error answer is `{"error": {"message", "type", "param", "code"}}` (the shape of OpenAI's API).
"""

import json
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException


class ErrorBody(BaseModel):
    """What went wrong, in words and as stable names; `param` is the path of the offending field."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorEnvelope(BaseModel):
    """The body of every error answer."""

    error: ErrorBody


UNREADABLE = "There was an error parsing the body"  # FastAPI's, whatever it was: no text, too deep a nest, 4,300 digits
# Not `model=`: FastAPI would document it with the media type of the route's own answers.
ERROR_CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}}


class ServiceError(HTTPException):
    """An error with a place in the contract. `retry_after` is in seconds."""

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
    """The client closed the connection; nobody reads the answer (499 is nginx's number for the log)."""

    status, type, code = 499, "invalid_request_error", "client_gone"


class Unavailable(ServiceError):
    status, type, code = 503, "unavailable_error", "unavailable"


class NotReady(Unavailable):
    code = "not_ready"


class Overloaded(Unavailable):
    type, code = "overloaded_error", "overloaded"


class DependencyUnavailable(Unavailable):
    code = "dependency_unavailable"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} is unavailable: {reason}", retry_after=1)
        self.reason = reason


class DeadlineExceeded(ServiceError):
    status, type, code = 504, "timeout_error", "deadline_exceeded"


def envelope(status: int, error: ErrorBody, retry_after: float | None = None) -> Response:
    """The answer for one error."""
    headers = {"Retry-After": str(max(1, math.ceil(retry_after)))} if retry_after is not None else None
    # ASCII only: a field's name may hold what UTF-8 can't, such as a lone surrogate.
    body = json.dumps(ErrorEnvelope(error=error).model_dump())
    return Response(body, status, headers, media_type="application/json")


def respond(error: HTTPException) -> Response:
    """The answer for a typed error, or for one that the router raises (404, 405)."""
    if isinstance(error, ServiceError):
        body = ErrorBody(message=error.message, type=error.type, param=error.param, code=error.code)
        response = envelope(error.status, body, error.retry_after)
        response.headers.update(error.headers or {})
        return response
    if error.detail == UNREADABLE:
        message = (
            "the body can't be parsed: it must be JSON in UTF-8, not compressed, not too deep, without endless numbers"
        )
        return respond(BadRequest(message, code="invalid_body"))
    kind = "invalid_request_error" if error.status_code < 500 else "server_error"
    code = HTTPStatus(error.status_code).name.lower()
    response = envelope(error.status_code, ErrorBody(message=str(error.detail), type=kind, param=None, code=code))
    response.headers.update(error.headers or {})
    return response


def respond_invalid(error: RequestValidationError) -> Response:
    """400 with the first problem: its field path (`texts.3`) and its limit; the input is not echoed."""
    problem = error.errors()[0]
    param = ".".join(str(part) for part in problem["loc"][1:]) or None  # the first says body, query or path
    message = f"{param}: {problem['msg']}" if param else problem["msg"]
    if problem["type"] == "json_invalid":
        message, param = (
            f"the body is not valid JSON: {problem.get('ctx', {}).get('error', 'syntax error')}",
            None,
        )
    if problem["type"] in ("model_attributes_type", "missing") and param is None:  # no object, or null, or nothing
        message = "the body must be a JSON object, sent with Content-Type: application/json"
    body = ErrorBody(message=message, type="invalid_request_error", param=param, code=problem["type"])
    return envelope(400, body)


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route whose errors have these statuses."""
    return {status: {"content": ERROR_CONTENT, "description": HTTPStatus(status).phrase} for status in statuses}


def install_errors(app: FastAPI) -> None:
    """Answer every error of `app` with the envelope."""

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        return respond(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return respond_invalid(error)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        return respond(ServiceError("internal error; the log has the details"))
