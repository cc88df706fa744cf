"""The worker's application."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from contract.model import PATH
from warmstart import Lifecycle, Resource, faults_route, install
from warmstart.faults import switches
from warmstart.http.operations import NO_TELEMETRY
from warmstart.http.tokens import WatchedTokens
from warmstart.traces.exporter import traces
from warmstart.vault.plugin import vault
from worker import __version__, executor, health
from worker.deadly import DeadlyText
from worker.guard import Guard
from worker.resources import RESOURCES
from worker.routes import router
from worker.settings import WorkerSettings

log = logging.getLogger("worker")

OPEN = (
    "WORKER_SECRET is not set: whoever reaches this worker may use it. Set it for worker and api, or let nobody else "
    "reach this port, by a network policy or a private network"
)


def create_app(settings: WorkerSettings | None = None, resources: Sequence[Resource[Any]] = RESOURCES) -> FastAPI:
    """The application. In a unit test, other `resources` stand in for the model."""
    settings = settings or WorkerSettings()
    plugins = switches(settings)
    for each in plugins:
        executor.before_call = each.hold_call
        health.before_pass = DeadlyText(each).before_pass

    def take() -> None:
        secrets.take()
        _warn_if_open(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if not settings.awaits_secrets:
            take()
        async with Lifecycle(app, resources, settings, plugins=[*plugins, *traces(settings), *vault(settings, take)]):
            app.state.lifecycle.spawn("watch WORKER_SECRET", secrets.watch, may_end=True)
            yield

    app = FastAPI(title="Warmstart worker", version=__version__, lifespan=lifespan, telemetry=NO_TELEMETRY)
    if settings.predictor:
        # A worker without an estimator imports none of it.
        from worker.predictor import resource, routes  # noqa: PLC0415

        resources = (*resources, resource.PREDICTOR)
        app.include_router(routes.router)
    app.include_router(router)
    if settings.faults_enabled and settings.faults_file:
        app.include_router(faults_route.router(settings.faults_file))
    secrets = WatchedTokens("worker_secret", settings)
    if not settings.is_open:
        app.add_middleware(Guard, secrets=secrets, settings=settings)
    # The api asks for the model every second.
    install(app, settings, quiet=(PATH,), open_paths=(faults_route.PATH,), known=secrets.has)
    return app


def _warn_if_open(settings: WorkerSettings) -> None:
    if settings.environment == "production" and not settings.worker_secret:
        log.warning(OPEN)
