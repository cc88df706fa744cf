"""How routes reach what they need."""

from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from api.cache import Cache
from api.degraded import hopeless
from api.embedder import Embedder
from api.postgres import Database
from api.worker_client import WorkerClient
from warmstart import opened
from warmstart.errors import DependencyUnavailable


def embedder_of(request: Request) -> Embedder:
    """Embeds for this request. Not a dependency: FastAPI takes a tenth of a cache hit's time to solve one."""
    # The worker itself, whatever its health: what the cache knows is served without it.
    state = request.app.state
    cache: Cache | None = _if_it_answers(state, "redis")
    return Embedder(request, state.worker, cache, state.flights, worker_failure=state.lifecycle.failure("worker"))


async def _engine(request: Request) -> AsyncEngine:
    """The pool, or a typed 503 while Postgres is known not to answer."""
    database: Database | None = _if_it_answers(request.app.state, "postgres")
    if database is None:
        raise DependencyUnavailable("postgres", request.app.state.lifecycle.failure("postgres") or "not open")
    return database.engine


def _if_it_answers(state: Any, name: str) -> Any:
    """What was opened, however little the store can do now; None before that, and while asking it is hopeless."""
    return None if hopeless(state.lifecycle.failure(name)) else getattr(state, name, None)


Postgres = Annotated[AsyncEngine, Depends(_engine)]
Worker = Annotated[WorkerClient, Depends(opened("worker"))]
