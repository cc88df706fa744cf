"""Everything an application gets from servicekit besides its lifespan."""

from collections.abc import Collection
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from servicekit import metrics, probes
from servicekit.access import Access
from servicekit.body_limit import BodyLimit
from servicekit.deadline import Deadline
from servicekit.errors import ERROR_CONTENT, ErrorEnvelope, install_errors
from servicekit.gate import Gate
from servicekit.settings import ServiceSettings


def install(app: FastAPI, settings: ServiceSettings, *, quiet: Collection[str] = ()) -> None:
    """Add probes, metrics, gate, drain headers, limits and error answers to `app`; `quiet` paths are polled."""
    app.state.settings = settings
    app.state.lifecycle = None
    app.state.ready = False
    install_errors(app)
    # Starlette puts the one added last outermost.
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes)
    app.add_middleware(Deadline, limit=settings.request_timeout)
    app.add_middleware(Gate)
    app.add_middleware(Access, quiet=frozenset({"/metrics", *quiet}))
    app.include_router(probes.router)
    app.include_router(metrics.router)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]


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
