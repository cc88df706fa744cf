"""Puts the service together."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import Scope

from api import __version__
from api.auth import Authenticate, document_keys
from api.chat_results import CountChats
from api.flags import flags_for
from api.flights import new_flights
from api.keys.known import KnownKeys
from api.quota import Quota
from api.rate_limit import RateLimitHeaders
from api.resources import REPLICA, RESOURCES
from api.routes import classify, documents, embeddings, faults, models, page, reports, search, system
from api.schemas.embeddings import SEND_TEXTS
from api.settings import ApiSettings
from api.system.look import Look
from warmstart import Lifecycle, Resource, install
from warmstart.faults import switches
from warmstart.http.errors import error_responses
from warmstart.http.operations import NO_TELEMETRY
from warmstart.lifecycle.plugin import Plugin
from warmstart.traces.exporter import traces
from warmstart.vault.plugin import vault

# Of the page, which shows how far the start has come.
OPEN_PATHS = ("/", "/favicon.ico", "/assets/", "/reports/", "/v1/reports", "/v1/faults/", system.PATH)


def create_app(settings: ApiSettings | None = None, resources: Sequence[Resource[Any]] | None = None) -> FastAPI:
    """The application.

    A unit test swaps resources in one line: `create_app(resources=[Resource("worker", open_fake)])`.
    """
    settings = settings or ApiSettings()
    closed = not settings.is_open
    chat, chat_resources = _chat(settings)
    replica = [REPLICA] if settings.search_database_url or settings.awaits_secrets else []
    usual = (*RESOURCES, *replica, *chat_resources)
    flags = flags_for(settings)
    declared = (*(usual if resources is None else resources), *([flags.resource()] if settings.flags_file else []))

    def take() -> None:
        keys.take(settings.keys())

    def let_in(scope: Scope) -> bool:
        return settings.is_open or system.is_operators(scope)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        plugins: list[Plugin] = [*switches(settings), *traces(settings), *vault(settings, take)]
        async with Look(app, settings) as app.state.look, Lifecycle(app, declared, settings, plugins=plugins):
            app.state.lifecycle.spawn("watch API_KEYS", keys.watch, may_end=True)
            yield

    app = FastAPI(title="Warmstart api", version=__version__, lifespan=lifespan, telemetry=NO_TELEMETRY)
    app.state.quota = Quota(settings.quota, settings.cache_timeout)
    app.state.flights = new_flights()
    app.state.flags = flags
    keys = KnownKeys(settings.keys())
    if closed:
        app.add_middleware(Authenticate, keys=keys.known, known=let_in)
        document_keys(app)  # only where one is needed
    _include(app, settings, chat)
    limited = [RateLimitHeaders] if settings.quota or closed else []
    install(
        app,
        settings,
        open_paths=OPEN_PATHS,
        quiet=(system.PATH,),  # open pages ask for it every two seconds
        cors_origins=settings.cors(),
        around=[*limited, CountChats],
        advice={"/v1/embeddings": f"if they are token ids: {SEND_TEXTS}"},
        known=keys.known.of,
    )
    return app


def _include(app: FastAPI, settings: ApiSettings, chat: APIRouter) -> None:
    """Add all routes, those of the page too."""
    breakable = [faults] if settings.faults_enabled else []
    parts = (embeddings, models, documents, search, classify, system, reports, *breakable)
    for router in (*(each.router for each in parts), chat):
        app.include_router(router, prefix="/v1", responses=error_responses(401))
    app.include_router(page.router)
    app.include_router(reports.files)


def _chat(settings: ApiSettings) -> tuple[APIRouter, list[Resource[Any]]]:
    """The route of chats and what it needs. An api without them imports none of it."""
    if not settings.chat_url:
        from api.routes import no_chat  # noqa: PLC0415 - as below

        return no_chat.router, []
    from api.chat.resource import CHAT  # noqa: PLC0415 - imported only where it is used
    from api.routes import chat  # noqa: PLC0415

    return chat.router, [CHAT]
