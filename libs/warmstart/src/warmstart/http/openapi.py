"""The application's own OpenAPI document, with the errors that its routes really answer."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from fastapi import FastAPI

from warmstart.http import probes
from warmstart.http.errors import ERROR_CONTENT, ErrorEnvelope

METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"})
Document = dict[str, Any]


def document_errors(app: FastAPI) -> None:
    """Have `app.openapi()` name the statuses and the body of errors; the rest of the document stays."""
    app.openapi = _WithErrors(app.openapi)  # type: ignore[method-assign]


class _WithErrors:
    """Amends a copy of the document, and amends again after FastAPI has made it anew for a new route."""

    def __init__(self, make: Callable[[], Document]) -> None:
        self._make = make
        self._made: Document | None = None
        self._amended: Document = {}

    def __call__(self) -> Document:
        if (made := self._make()) is not self._made:
            self._made, self._amended = made, _amended(made)
        return self._amended


def _amended(made: Document) -> Document:
    document = deepcopy(made)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["ErrorEnvelope"] = ErrorEnvelope.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schemas["ErrorEnvelope"].pop("$defs"))
    for path, item in document.get("paths", {}).items():
        for method in METHODS.intersection(item):
            _amend(item[method], path)
    return document


def _amend(operation: Document, path: str) -> None:
    responses = operation.setdefault("responses", {})
    invalid = _is_fastapis(responses.get("422", {}))
    if invalid:
        del responses["422"]
    if invalid or "requestBody" in operation:
        responses.setdefault("400", {"description": "Bad Request", "content": ERROR_CONTENT})
    if "requestBody" in operation:
        responses.setdefault("413", {"description": "Body Too Large", "content": ERROR_CONTENT})
    if not probes.is_operation(path):
        responses.setdefault("503", {"description": "Not Ready", "content": ERROR_CONTENT})
        responses.setdefault("504", {"description": "Deadline Exceeded", "content": ERROR_CONTENT})


def _is_fastapis(response: Document) -> bool:
    """Whether FastAPI documented it for invalid input, and not the application for something else."""
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return str(schema.get("$ref", "")).endswith("/HTTPValidationError")
