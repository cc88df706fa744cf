"""Finds the nearest documents of one space: through the HNSW index, and without it where it finds too few."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pgvector.sqlalchemy import Vector
from sqlalchemy import Row, Select, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.embedding import Embedding
from api.metrics import EXACT_SEARCHES
from api.postgres import transact
from api.store import spaces
from api.store.replacement import OtherSpaceError, served_beside
from api.store.tables import documents, embeddings
from warmstart.errors import DependencyUnavailable

EF_SEARCH = 200  # candidates of one index scan, about twice the largest limit; pgvector has 40
DIGITS = 6  # of a score: numbers are float32, and scores that differ only by rounding count as equal
TWINS = 10  # documents with one vector that pgvector keeps in one node of the graph (HNSW_HEAPTIDS)


@dataclass(frozen=True)
class Match:
    """A document and its cosine similarity to the query, -1 to 1, rounded to `DIGITS`."""

    id: str
    text: str
    metadata: dict[str, Any]
    score: float


async def search(
    engine: AsyncEngine,
    query: Embedding,
    space: str,
    *,
    limit: int,
    equals: dict[str, Any],
    any_space: bool = False,
    replaced: bool = False,
) -> list[Match]:
    """The `limit` nearest documents in `space` whose metadata has all of `equals`: by score, equal ones by id.

    There are fewer results only when fewer documents match, whatever the index leaves out. Raises OtherSpaceError when
    a replacement of the model serves another space, unless the caller wants to look at `any_space`, and also when it
    isn't known there though the caller knows that the model is being `replaced`; DependencyUnavailable when Postgres
    can't be reached.
    """
    matching = _matching(query, space, equals)

    async def work(connection: AsyncConnection) -> list[Match]:
        served = await _plan(connection, space)
        if served != space and (served or replaced) and not any_space:
            raise OtherSpaceError(served or "of a time before the replacement")
        indexed = len(query.floats()) <= spaces.INDEXED
        found = await _through_index(connection, matching, limit + TWINS) if indexed else []
        return found if _has_all(found, limit) else await _exact(connection, matching, limit)

    found = await transact(engine, work, reads=True)
    return sorted(found, key=lambda match: (-match.score, match.id))[:limit]


async def search_first(
    engines: Sequence[AsyncEngine], query: Embedding, space: str, *, limit: int, equals: dict[str, Any], replaced: bool
) -> list[Match]:
    """`search` in the first of `engines` that can serve it, and agrees about the space: a replica may be behind."""
    for engine in engines[:-1]:
        with suppress(DependencyUnavailable, OtherSpaceError):
            return await search(engine, query, space, limit=limit, equals=equals, replaced=replaced)
    return await search(engines[-1], query, space, limit=limit, equals=equals)


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


def _matching(query: Embedding, space: str, equals: dict[str, Any]) -> Select[Any]:
    """Ids of the matching documents, with their distances, by which the space's index sorts."""
    floats = query.floats()
    distance = cast(embeddings.c.embedding, Vector(len(floats))).cosine_distance(floats)
    found = select(embeddings.c.document_id, distance.label("distance"))
    found = found.where(embeddings.c.space == spaces.named(space))
    return found.join(documents).where(documents.c.metadata.contains(equals)) if equals else found


async def _plan(connection: AsyncConnection, space: str) -> str | None:
    """How Postgres plans and scans in this transaction; returns the space that a replacement serves, if any."""
    planned = await connection.execute(
        select(
            served_beside(space).label("served"),
            func.set_config("hnsw.ef_search", str(EF_SEARCH), True),
            func.set_config("hnsw.iterative_scan", "strict_order", True),
            # A plan for any limit and any filter joins all documents: a filter that a third match took twice the time.
            func.set_config("plan_cache_mode", "force_custom_plan", True),
        )
    )
    served: str | None = planned.one().served
    return served


async def _through_index(connection: AsyncConnection, matching: Select[Any], limit: int) -> list[Match]:
    """Candidates from the index, without those that the filter removes; the scan goes on for more, up to a limit."""
    return await _whole(connection, matching.order_by("distance").limit(limit))


async def _exact(connection: AsyncConnection, matching: Select[Any], limit: int) -> list[Match]:
    """All matches, without the HNSW index; the metadata index stays in use (a bitmap scan)."""
    EXACT_SEARCHES.inc()
    await connection.execute(select(func.set_config("enable_indexscan", "off", True)))
    rounded = func.round(matching.selected_columns.distance * 10**DIGITS)
    return await _whole(connection, matching.order_by(rounded, embeddings.c.document_id.collate("C")).limit(limit))


async def _whole(connection: AsyncConnection, chosen: Select[Any]) -> list[Match]:
    """The chosen documents, best first. Texts are read of these alone: with all of them, sorting took twice as long."""
    best = chosen.subquery()
    whole = select(documents.c.id, documents.c.text, documents.c.metadata, best.c.distance)
    rows = await connection.execute(whole.join_from(best, documents, documents.c.id == best.c.document_id))
    return sorted((_match(row) for row in rows), key=lambda match: -match.score)


def _match(row: Row[*tuple[Any, ...]]) -> Match:
    return Match(row.id, row.text, row.metadata, round(1 - row.distance, DIGITS))
