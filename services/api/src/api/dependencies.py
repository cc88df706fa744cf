"""How routes reach what they need."""

from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from api.embedder import Embedder
from api.postgres import Database
from api.postgres_errors import hopeless
from api.worker_client import WorkerClient
from servicekit import opened
from servicekit.errors import DependencyUnavailable


def embedder_of(request: Request) -> Embedder:
    """Embeds for this request. Not a dependency: FastAPI takes a tenth of a cache hit's time to solve one."""
    # The worker itself, whatever its health: what the cache knows is served without it.
    state = request.app.state
    cache = None if state.lifecycle.failure("redis") else state.redis
    return Embedder(request, state.worker, cache, state.flights, worker_failure=state.lifecycle.failure("worker"))


async def _engine(request: Request) -> AsyncEngine:
    """The pool, or a typed 503 while Postgres is known not to answer."""
    failure = request.app.state.lifecycle.failure("postgres")
    if hopeless(failure):
        raise DependencyUnavailable("postgres", failure)
    database: Database = request.app.state.postgres
    return database.engine


Postgres = Annotated[AsyncEngine, Depends(_engine)]
Worker = Annotated[WorkerClient, Depends(opened("worker"))]
