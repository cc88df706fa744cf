"""How routes reach what they need."""

from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from api.embedder import Embedder
from api.worker_client import WorkerClient
from servicekit import opened


def embedder_of(request: Request) -> Embedder:
    """Embeds for this request. Not a dependency: FastAPI takes a tenth of a cache hit's time to solve one."""
    # The worker itself, whatever its health: what the cache knows is served without it.
    state = request.app.state
    cache = None if state.lifecycle.failure("redis") else state.redis
    return Embedder(request, state.worker, cache, state.flights, worker_failure=state.lifecycle.failure("worker"))


Postgres = Annotated[AsyncEngine, Depends(opened("postgres"))]
Worker = Annotated[WorkerClient, Depends(opened("worker"))]
