"""How FastAPI answers errors: those of `warmstart.errors`, of the router and of validation, with one body."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from warmstart.errors import Answer, BadRequest, ServiceError, enveloped, respond


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


def respond_http(error: HTTPException) -> Answer:
    """The answer for a typed error, or for one that the router raises (404, 405)."""
    if isinstance(error, ServiceError):
        return respond(error)
    if error.detail == UNREADABLE:
        message = (
            "the body can't be parsed: it must be JSON in UTF-8, not compressed, not too deep, without endless numbers"
        )
        return respond(BadRequest(message, code="invalid_body"))
    kind = "invalid_request_error" if error.status_code < 500 else "server_error"
    code = HTTPStatus(error.status_code).name.lower()
    return enveloped(error.status_code, str(error.detail), kind=kind, code=code, headers=error.headers)


def respond_invalid(error: RequestValidationError) -> Answer:
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
    return respond(BadRequest(message, param=param, code=problem["type"]))


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route whose errors have these statuses."""
    return {status: {"content": ERROR_CONTENT, "description": HTTPStatus(status).phrase} for status in statuses}


def install_errors(app: FastAPI) -> None:
    """Answer every error of `app` with the envelope."""

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        return as_response(respond_http(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return as_response(respond_invalid(error))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        return as_response(respond(ServiceError("internal error; the log has the details")))


def as_response(answer: Answer) -> Response:
    """The answer where FastAPI and starlette want one of their own kind."""
    response = Response(status_code=answer.status)
    response.body, response.raw_headers = answer.body, answer.headers
    return response
