"""Everything an application gets from warmstart besides its lifespan."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import ASGIApp

from warmstart.http import metrics, probes
from warmstart.http.access import Access
from warmstart.http.body_limit import BodyLimit
from warmstart.http.cors import Cors
from warmstart.http.deadline import Deadline
from warmstart.http.docs_page import install_docs
from warmstart.http.errors import ERROR_CONTENT, ErrorEnvelope, install_errors
from warmstart.http.gate import Gate
from warmstart.http.head import HeadAsGet
from warmstart.http.operations import Operations
from warmstart.settings.service import ServiceSettings


def install(
    app: FastAPI,
    settings: ServiceSettings,
    *,
    quiet: Collection[str] = (),
    cors_origins: Sequence[str] = (),
    around: Sequence[Callable[[ASGIApp], ASGIApp]] = (),
    advice: str = "",
) -> None:
    """Add probes, metrics, gate, drain headers, limits and error answers to `app`; `quiet` paths are polled.

    They are outside of whatever `app.add_middleware` adds, before or after. `around` is outside of the time limit too.
    `advice` is for who sends too many JSON values.
    """
    app.state.settings = settings
    app.state.lifecycle = None
    app.state.ready = False
    install_errors(app)
    install_docs(app)
    app.include_router(probes.router)  # for the OpenAPI document
    app.include_router(metrics.router)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    build = app.build_middleware_stack

    def surrounded() -> ASGIApp:
        # Starlette's own stack begins with what answers an unexpected error: that answer must pass through ours.
        stack: ASGIApp = BodyLimit(build(), settings, advice)
        stack = Deadline(stack, settings.request_timeout)
        for layer in around:
            stack = layer(stack)
        stack = HeadAsGet(Operations(Gate(stack), app))
        if cors_origins:
            stack = Cors(stack, cors_origins)
        return Access(stack, frozenset({"/metrics", *quiet}))

    app.build_middleware_stack = surrounded  # type: ignore[method-assign]


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The document as FastAPI makes it, but with the statuses and the body that invalid input really gets."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = document.setdefault("components", {}).setdefault("schemas", {})
        components["ErrorEnvelope"] = ErrorEnvelope.model_json_schema(ref_template="#/components/schemas/{model}")
        components.update(components["ErrorEnvelope"].pop("$defs"))
        for path, operations in document["paths"].items():
            for operation in operations.values():
                responses = operation["responses"]
                if responses.pop("422", None) or "requestBody" in operation:
                    responses["400"] = {"description": "Bad Request", "content": ERROR_CONTENT}
                if "requestBody" in operation:
                    responses["413"] = {"description": "Body Too Large", "content": ERROR_CONTENT}
                if not (probes.is_probe(path) or path == "/metrics"):
                    responses.setdefault("503", {"description": "Not Ready", "content": ERROR_CONTENT})
                    responses.setdefault("504", {"description": "Deadline Exceeded", "content": ERROR_CONTENT})
        app.openapi_schema = document
    return app.openapi_schema
