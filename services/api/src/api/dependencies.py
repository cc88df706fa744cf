"""The dependencies of the api's routes."""

from contextlib import suppress
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from api.degraded import hopeless
from api.flags import ApiFlags
from api.resources import POSTGRES, REPLICA, WORKER
from api.store.search import Store
from api.worker_client import WorkerClient
from warmstart import Lifecycle
from warmstart.errors import DependencyUnavailable, NotReady
from warmstart.flags.followed import FollowedFlags


def lifecycle_of(request: Request) -> Lifecycle:
    """What knows the resources. Raises NotReady where a test has replaced the lifespan, or runs none."""
    found: Lifecycle | None = request.app.state.lifecycle
    if found is None:
        raise NotReady("nothing is open: the application's lifespan has not run", retry_after=1)
    return found


def worker_of(lifecycle: Lifecycle) -> tuple[WorkerClient, str | None]:
    """The worker's client, however unhealthy the worker is, and why it is: cached texts are served without it.

    Raises DependencyUnavailable when the worker was never there.
    """
    failure, worker = lifecycle.failure("worker"), lifecycle.held(WORKER)
    if worker is None:
        raise DependencyUnavailable("worker", failure or "not open")
    return worker, failure


def flags_of(request: Request) -> ApiFlags:
    """The flags as this request sees them: those of its first look, until it ends."""
    followed: FollowedFlags[ApiFlags] = request.app.state.flags
    return followed.of(request.scope)


async def _flags(request: Request) -> ApiFlags:
    return flags_of(request)


async def _engine(request: Request) -> AsyncEngine:
    """The pool, or a typed 503 while Postgres is known not to answer, unless it has only just begun to restart."""
    lifecycle = lifecycle_of(request)
    failure, database = lifecycle.failure("postgres"), lifecycle.held(POSTGRES)
    if database is None:
        raise DependencyUnavailable("postgres", failure or "not open")
    if failure and hopeless(failure):
        database.patience.check(failure, waiting=0)
    return database.engine


async def _readable(request: Request) -> list[Store]:
    """Where to search: in the replica, if there is one that serves, then in Postgres itself, as above."""
    lifecycle = lifecycle_of(request)
    stores: list[Store] = []
    has_replica = request.app.state.settings.search_database_url and not lifecycle.failure("replica")
    if has_replica and (replica := lifecycle.value(REPLICA)):
        stores.append(Store(replica.engine, is_replica=True))
    with suppress(*([DependencyUnavailable] if stores else [])):
        stores.append(Store(await _engine(request)))
    return stores


async def _worker(request: Request) -> WorkerClient:
    """The worker's client, which knows the model, or a typed 503 while the worker is known to fail, as above."""
    worker, failure = worker_of(lifecycle_of(request))
    if failure:
        worker.patience.check(failure, waiting=0)
    return worker


Flags = Annotated[ApiFlags, Depends(_flags)]
Readable = Annotated[list[Store], Depends(_readable)]
Postgres = Annotated[AsyncEngine, Depends(_engine)]
Worker = Annotated[WorkerClient, Depends(_worker)]
