"""Finds the nearest documents of one space: through the HNSW index, and without it where it finds too few."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.embedding import Embedding
from api.metrics import EXACT_SEARCHES
from api.postgres import transact
from api.store import nearest, spaces
from api.store.nearest import Match, Wanted
from api.store.replacement import OtherSpaceError, served_beside
from warmstart.errors import DependencyUnavailable

EF_SEARCH = 200  # candidates of one index scan, about twice the largest limit; pgvector has 40
TWINS = 10  # documents with one vector that pgvector keeps in one node of the graph (HNSW_HEAPTIDS)
# Candidates for each result of a search with a filter, at first: 160 for 10 results come from one scan of `EF_SEARCH`,
# and cost no more than without a filter, even if a fifth of those are dead (as many as autovacuum leaves).
NEAR = 8
# Seconds for a replica, whose index search takes milliseconds: one that hangs leaves its request the time to ask
# Postgres itself, though SQLAlchemy waits 2 s more for the end of the connection.
REPLICA_TIMEOUT = 2.0


class Store(NamedTuple):
    """Where a search may be done: in Postgres itself, or in a replica, which may be behind."""

    engine: AsyncEngine
    is_replica: bool = False


async def search(
    engine: AsyncEngine,
    query: Embedding,
    space: str,
    *,
    limit: int,
    equals: dict[str, Any],
    any_space: bool = False,
    replica: bool = False,
    exact: bool = False,
) -> list[Match]:
    """The `limit` nearest documents in `space` whose metadata has all of `equals`: by score, equal ones by id.

    There are fewer results only when fewer documents match, whatever the index leaves out; with `exact` the index isn't
    asked. Raises OtherSpaceError when a replacement of the model serves another space, unless the caller wants to look
    at `any_space`; DependencyUnavailable when Postgres can't be reached, or is a `replica` that has not heard of the
    space. In Postgres itself such a space is one without documents.
    """
    wanted = Wanted(query, space, equals)

    async def work(connection: AsyncConnection) -> list[Match]:
        served, known = await _plan(connection, space)
        if served and served != space and not any_space:
            raise OtherSpaceError(served)
        if replica and not known:
            raise DependencyUnavailable("replica", "it knows no documents of this model")
        return await _search(connection, wanted, limit, exact=exact)

    found = await transact(engine, work, reads=True)
    return sorted(found, key=lambda match: (-match.score, match.id))[:limit]


async def search_first(
    stores: Sequence[Store], query: Embedding, space: str, *, limit: int, equals: dict[str, Any], exact: bool
) -> list[Match]:
    """`search` in the first of `stores` that can serve it, and agrees about the space: a replica may be behind."""

    async def found(store: Store) -> list[Match]:
        return await search(
            store.engine, query, space, limit=limit, equals=equals, replica=store.is_replica, exact=exact
        )

    for each in stores[:-1]:
        with suppress(DependencyUnavailable, OtherSpaceError, TimeoutError):
            async with asyncio.timeout(None if exact else REPLICA_TIMEOUT):
                return await found(each)
    return await found(stores[-1])


async def _search(connection: AsyncConnection, wanted: Wanted, limit: int, *, exact: bool) -> list[Match]:
    """The best `limit`, and perhaps more."""
    enough = limit + TWINS
    if wanted.query.dimensions <= spaces.INDEXED and not exact:
        candidates = NEAR * enough if wanted.equals else enough
        found = await nearest.among(connection, wanted, enough, candidates)
        if _has_all(found, limit):
            return found
        if wanted.equals:
            # A book's few documents are the nearest to a query about its subject, and no others match: to look further
            # is in vain, and takes 8 times as long. So first no more matches are compared than it would take candidates
            # to find `enough` if those that match were spread evenly.
            most = min(nearest.FEW, candidates * enough // max(1, len(found)))
            if (few := await nearest.of_few(connection, wanted, enough, most)) is not None:
                EXACT_SEARCHES.inc()
                return few
        if len(found) < limit:
            found = await nearest.further(connection, wanted, enough)
            if _has_all(found, limit):
                return found
        if len(found) >= limit and (found := await _past_equals(connection, wanted, limit)):
            return found
    EXACT_SEARCHES.inc()
    return await nearest.exact(connection, wanted, limit)


async def _past_equals(connection: AsyncConnection, wanted: Wanted, limit: int) -> list[Match]:
    """One scan of the index, if it ends beyond those that are as good as the last of the best `limit`; else nothing.

    A scan comes to some 30 nodes of equal ones, each of up to `TWINS`, before it leaves any out (of 1,000 equal ones it
    came to 330, pgvector 0.8). So if they end within `EF_SEARCH`, these are all.
    """
    found = await nearest.among(connection, wanted, EF_SEARCH, EF_SEARCH)
    return found if len(found) > limit and found[-1].score < found[limit - 1].score else []


def _has_all(found: Sequence[Match], limit: int) -> bool:
    """Whether the index's candidates hold the best `limit`, and all documents that are as good as the last of them.

    The index finds no more than some of `TWINS` equal vectors, and its scan may not even leave them: from 3,000 equal
    ones it came to none of the documents that were nearer to the query (40,000 others, pgvector 0.8).
    """
    if len(found) < limit:
        return False
    last = found[limit - 1].score
    if len(found) < limit + TWINS and found[-1].score == last:
        return False  # the scan ended among equal vectors
    return max(Counter(match.score for match in found if match.score >= last).values()) < TWINS


async def _plan(connection: AsyncConnection, space: str) -> tuple[str | None, bool]:
    """How Postgres plans and scans in this transaction.

    Returns the space that a replacement serves, if any, and whether `space` is known there.
    """
    planned = (await connection.execute(_planning(space, EF_SEARCH))).one()
    return planned.served, planned.known


@lru_cache(maxsize=16)
def _planning(space: str, candidates: int) -> Select[Any]:
    return select(
        served_beside(space).label("served"),
        func.to_regclass(spaces.partition(space)).is_not(None).label("known"),
        func.set_config("hnsw.ef_search", str(candidates), True),
        func.set_config("hnsw.iterative_scan", "strict_order", True),
        # A plan for any limit and any filter joins all documents: a filter that a third match took twice the time.
        func.set_config("plan_cache_mode", "force_custom_plan", True),
    )
