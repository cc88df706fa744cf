"""How routes reach what they need."""

from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from api.embedder import Embedder
from api.worker_client import WorkerClient
from servicekit import opened, opened_or_none

_cache = opened_or_none("redis")


async def _embedder(request: Request) -> Embedder:
    # Called here, not declared as a dependency of this one: FastAPI takes 25 µs for it.
    # The worker itself, whatever its health: what the cache knows is served without it.
    state = request.app.state
    failure = state.lifecycle.failure("worker")
    return Embedder(request, state.worker, await _cache(request), state.flights, worker_failure=failure)


Postgres = Annotated[AsyncEngine, Depends(opened("postgres"))]
Worker = Annotated[WorkerClient, Depends(opened("worker"))]
EmbedderOfRequest = Annotated[Embedder, Depends(_embedder)]
