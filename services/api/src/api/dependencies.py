"""The dependencies of the api's routes."""

from typing import Annotated, TypeVar

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from api.degraded import hopeless
from api.embedder import Embedder
from api.resources import POSTGRES, REDIS, WORKER
from api.worker_client import WorkerClient
from warmstart import Lifecycle, Resource
from warmstart.errors import DependencyUnavailable

T = TypeVar("T")


def embedder_of(request: Request) -> Embedder:
    """The embedder of this request. Not a dependency: FastAPI takes a tenth of a cache hit's time to solve one."""
    state = request.app.state
    lifecycle: Lifecycle = state.lifecycle
    worker, failure = _worker_of(lifecycle)
    return Embedder(request, worker, _if_it_answers(lifecycle, REDIS), state.flights, worker_failure=failure)


def _worker_of(lifecycle: Lifecycle) -> tuple[WorkerClient, str | None]:
    """The worker's client, however unhealthy the worker is, and why it is: cached texts are served without it."""
    failure, worker = lifecycle.failure("worker"), lifecycle.held(WORKER)
    if worker is None:
        raise DependencyUnavailable("worker", failure or "not open")
    return worker, failure


async def _engine(request: Request) -> AsyncEngine:
    """The pool, or a typed 503 while Postgres is known not to answer, unless it has only just begun to restart."""
    lifecycle: Lifecycle = request.app.state.lifecycle
    failure, database = lifecycle.failure("postgres"), lifecycle.held(POSTGRES)
    if database is None:
        raise DependencyUnavailable("postgres", failure or "not open")
    if failure and hopeless(failure):
        database.patience.check(failure, waiting=0)
    return database.engine


def _if_it_answers(lifecycle: Lifecycle, resource: Resource[T]) -> T | None:
    """What was opened, even if the store is limited now; None while a call to it is pointless."""
    return None if hopeless(lifecycle.failure(resource.name)) else lifecycle.held(resource)


async def _worker(request: Request) -> WorkerClient:
    """The worker's client, which knows the model, or a typed 503 while the worker is known to fail, as above."""
    worker, failure = _worker_of(request.app.state.lifecycle)
    if failure:
        worker.patience.check(failure, waiting=0)
    return worker


Postgres = Annotated[AsyncEngine, Depends(_engine)]
Worker = Annotated[WorkerClient, Depends(_worker)]
