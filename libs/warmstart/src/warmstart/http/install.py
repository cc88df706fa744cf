"""Adds to an application everything that warmstart has besides the lifespan."""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType

from fastapi import FastAPI
from starlette.types import ASGIApp

from warmstart.http import metrics, probes, start_metrics
from warmstart.http.access import Access
from warmstart.http.body_limit import BodyLimit
from warmstart.http.cors import Cors
from warmstart.http.deadline import Deadline
from warmstart.http.declared import check_opened
from warmstart.http.docs_page import install_docs
from warmstart.http.errors import ErrorFormat, answering, install_errors, install_statuses
from warmstart.http.gate import Gate
from warmstart.http.head import HeadAsGet
from warmstart.http.openapi import document_errors
from warmstart.http.operations import Operations
from warmstart.http.operators import Known, Operators, nobody
from warmstart.http.owner import Owner
from warmstart.lifecycle.lifespan import Lifecycle
from warmstart.security_headers import SecurityHeaders
from warmstart.settings.service import ServiceSettings


def install(
    app: FastAPI,
    settings: ServiceSettings,
    *,
    open_paths: Collection[str] = (),
    error_format: ErrorFormat = "envelope",
    quiet: Collection[str] = (),
    cors_origins: Sequence[str] = (),
    around: Sequence[Callable[[ASGIApp], ASGIApp]] = (),
    advice: Mapping[str, str] = MappingProxyType({}),
    known: Known = nobody,
) -> None:
    """Add probes, metrics, gate, drain headers, limits and error answers to `app`.

    They are outside of whatever `app.add_middleware` adds, before or after. `open_paths` are answered before the
    process is ready, such as a page that shows the start: `/` is that path, `/assets/` all below it. `error_format` is
    the envelope of `warmstart.errors`, or FastAPI's own `{"detail": …}`. Requests of `quiet` paths are logged at debug.
    `around` wraps the application outside of the time limit. `advice` is added to the error for too many JSON values
    of a call to its path. `known` says whether a request is of a caller that may read the inside as one with a key of
    `OPERATOR_KEYS` may.
    Raises TypeError for a str where several are meant.
    """
    _check_several(open_paths=open_paths, quiet=quiet, cors_origins=cors_origins)
    app.state.settings = settings
    app.state.lifecycle = None
    app.state.ready = False
    answer = answering(error_format)
    operators = app.state.operators = Operators(settings, known)
    security = SecurityHeaders(settings.hsts_seconds)
    _install_inside(app, error_format)
    build = app.build_middleware_stack

    def surrounded() -> ASGIApp:
        """List the middleware from the inside out: a request passes the last one first."""
        # Starlette's own stack begins with the answer to an unexpected error, which must pass through these too.
        stack = build()
        stack = BodyLimit(stack, settings, answer, advice)
        stack = Deadline(stack, settings, app.state, answer)
        for layer in around:
            stack = layer(stack)
        stack = Gate(stack, app.state, open_paths, answer)
        stack = Operations(stack, app, error_format, operators)
        stack = HeadAsGet(stack, app)
        if cors_origins:
            stack = Cors(stack, cors_origins)
        stack = Access(stack, app.state, quiet, security)
        if settings.otel_exporter_otlp_endpoint:
            stack = _traced(stack, quiet)
        return Owner(stack, app, lambda: _started(app, operators))

    app.build_middleware_stack = surrounded  # type: ignore[method-assign]


def _install_inside(app: FastAPI, error_format: ErrorFormat) -> None:
    """Add what is part of the application itself: routes, their documents, and its answers to errors."""
    install_docs(app)
    app.include_router(probes.router)  # for the OpenAPI document
    app.include_router(metrics.router)
    if error_format == "envelope":
        install_errors(app)
        document_errors(app)
    else:
        install_statuses(app)


def _traced(app: ASGIApp, quiet: Collection[str]) -> ASGIApp:
    from warmstart.http.traced import Traced  # noqa: PLC0415 - OpenTelemetry is imported where traces are on

    return Traced(app, quiet)


def _check_several(**given: Collection[str]) -> None:
    for name, several in given.items():
        if isinstance(several, str):  # which is a collection of str, too: of its letters
            raise TypeError(f"install(…, {name}={several!r}): give a tuple or a list, such as ({several!r},)")


def _started(app: FastAPI, operators: Operators) -> None:
    """The lifespan has begun."""
    lifecycle: Lifecycle | None = app.state.lifecycle
    if lifecycle:
        check_opened(app, lifecycle)
        start_metrics.watch(lifecycle)
        _ = lifecycle.spawn("watch OPERATOR_KEYS", operators.keys.watch, may_end=True)
