"""The embedders of a request: of the model that searches use, and of the other one while a model is replaced."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from fastapi import Request

from api.degraded import hopeless
from api.dependencies import flags_of, lifecycle_of, worker_of
from api.embedder import CacheUse, Embedder
from api.resources import REDIS, REPLACEMENT
from api.store.replacement import OtherSpaceError, Replacement
from warmstart.errors import DependencyUnavailable

T = TypeVar("T")


def embedders_of(request: Request) -> list[Embedder]:
    """One for each model that documents are embedded for, first that which searches use, if its workers are known.

    A model's workers may be at both addresses. Not a dependency: FastAPI takes a tenth of a cache hit's time to solve
    one. Raises DependencyUnavailable when the worker was never there, NotReady without our lifespan.
    """
    state = request.app.state
    lifecycle = lifecycle_of(request)
    worker, failure = worker_of(lifecycle)
    flags, redis = flags_of(request), None if hopeless(lifecycle.failure("redis")) else lifecycle.held(REDIS)
    cache = CacheUse(redis if flags.reads_cache else None, redis if flags.writes_cache else None)
    usual = Embedder(request, worker, cache, state.flights, worker_failure=failure)
    known = lifecycle.held(REPLACEMENT)
    if known is None or known.replacement is None:
        return [usual]
    found = [usual]
    if known.worker.described:
        failure = lifecycle.failure("replacement")
        found.insert(0, Embedder(request, known.worker, cache, state.flights, worker_failure=failure))
    served = known.replacement.served
    found.sort(key=lambda each: (each.model.space != served, not each.worker_answers))
    by_space: dict[str, Embedder] = {}
    for each in found:
        by_space.setdefault(each.model.space, each)
    return list(by_space.values())


def replacement_of(request: Request) -> Replacement | None:
    """What is under way, as this process last read it."""
    known = lifecycle_of(request).held(REPLACEMENT)
    return known.replacement if known else None


def searched(request: Request, space: str | None = None) -> Embedder:
    """That of the model that searches use, by a replacement, or by what a search has just found: `space`.

    Raises DependencyUnavailable when no workers of it are known.
    """
    found, under_way = embedders_of(request), replacement_of(request)
    served = space or (under_way.served if under_way else found[0].model.space)
    for each in found:
        if each.model.space == served:
            return each
    names = {under_way.old: under_way.old_model, under_way.new: under_way.new_model} if under_way else {}
    raise DependencyUnavailable("worker", f"searches use {names.get(served, served)}, which no worker serves")


async def as_searched(request: Request, first: Embedder, work: Callable[[Embedder], Awaitable[T]]) -> T:
    """Do `work` with `first`, which `searched` gave; once more when it finds that searches turned to another space.

    Raises DependencyUnavailable when they turn twice, and what `work` raises.
    """
    try:
        return await work(first)
    except OtherSpaceError as other:
        space = other.served  # perhaps a replica's, which knows it later than Postgres itself
    known = lifecycle_of(request).held(REPLACEMENT)
    with suppress(DependencyUnavailable):
        if known and await known.read() and not known.worker.described:
            await known.worker.refresh()
    try:
        return await work(searched(request, space))
    except OtherSpaceError:
        raise DependencyUnavailable("worker", "the model that searches use changed during the call") from None
