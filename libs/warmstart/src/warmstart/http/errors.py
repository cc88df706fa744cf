"""How FastAPI answers errors: those of `warmstart.errors`, of the router and of validation, with one body."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp

from warmstart.errors import LONGEST_MESSAGE, Answer, BadRequest, ServiceError, enveloped, respond, shortened

ErrorFormat = Literal["envelope", "fastapi"]
Respond = Callable[[ServiceError], ASGIApp]


class ErrorBody(BaseModel):
    """What went wrong, in words and as stable names; `param` is the path of the offending field."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorEnvelope(BaseModel):
    """The body of every error answer."""

    error: ErrorBody


UNREADABLE = "There was an error parsing the body"  # FastAPI's, for bad UTF-8, deep nesting, 4,300 digits, …
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
    code, phrase = _names(error.status_code)
    detail: Any = error.detail  # FastAPI's may be an object
    message, detail = (detail, None) if isinstance(detail, str) else (phrase, detail)
    return enveloped(error.status_code, message, kind=kind, code=code, headers=error.headers, detail=detail)


def _methods(request: Request) -> set[str]:
    """The methods of all routes of the path, where starlette names those of one; none if a route itself refused."""
    routes = [(route.matches(request.scope)[0], route) for route in iter_route_contexts(request.app.routes)]
    if any(match is Match.FULL for match, _ in routes):
        return set()
    return {method for match, route in routes if match is Match.PARTIAL for method in route.methods or ()}


def _names(status: int) -> tuple[str, str]:
    try:
        return HTTPStatus(status).name.lower(), HTTPStatus(status).phrase
    except ValueError:  # an application may have statuses of its own
        return str(status), str(status)


def respond_invalid(error: RequestValidationError) -> Answer:
    """400 with the first problem: its field path (`texts.3`) and its limit; the input is not echoed.

    What a field is called is the caller's too: 4 MB of it came back twice, escaped, in 24 MB.
    """
    problem = error.errors()[0]
    param = ".".join(shortened(str(part)) for part in problem["loc"][1:]) or None  # the first says body, query or path
    said = shortened(problem["msg"], LONGEST_MESSAGE)  # pydantic's may repeat a union's tag
    message = f"{param}: {said}" if param else said
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


def answering(error_format: ErrorFormat) -> Respond:
    """What makes the answers of limits and gate."""
    if error_format == "envelope":
        return respond
    return lambda error: JSONResponse({"detail": error.detail}, error.status_code, error.headers)


def install_errors(app: FastAPI) -> None:
    """Answer every error of `app` with the envelope, but for those that it has handlers of its own for."""

    async def http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405 and (methods := _methods(request)):
            error.headers = {"Allow": ", ".join(sorted(methods))}
        return as_response(respond_http(error))

    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return as_response(respond_invalid(error))

    handlers: dict[Any, Any] = app.exception_handlers
    if handlers.get(HTTPException) is http_exception_handler:
        handlers[HTTPException] = http
    if handlers.get(RequestValidationError) is request_validation_exception_handler:
        handlers[RequestValidationError] = invalid
    if 500 not in handlers:
        handlers.setdefault(Exception, _unexpected)


async def _unexpected(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):  # raised outside of the routes, by middleware
        return _last(as_response(respond_http(error)))
    return as_response(respond(ServiceError("internal error; the log has the details")))


def _last(response: Response) -> Response:
    """Of its connection, which uvicorn cuts: starlette raises the error again. `Access` says so of a 500."""
    response.headers["Connection"] = "close"
    return response


def install_statuses(app: FastAPI) -> None:
    """Answer an HTTPException that middleware raises with its status; FastAPI answers 500. All else is FastAPI's."""

    async def unexpected(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            return _last(await http_exception_handler(request, error))
        return PlainTextResponse("Internal Server Error", 500)

    if 500 not in app.exception_handlers:
        app.exception_handlers.setdefault(Exception, unexpected)


def as_response(answer: Answer) -> Response:
    """The answer where FastAPI and starlette want one of their own kind."""
    response = Response(status_code=answer.status)
    response.body, response.raw_headers = answer.body, answer.headers
    return response
