"""Finds the nearest documents of one model: through the HNSW index, and without it where it finds too few."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.embedding import Embedding
from api.metrics import EXACT_SEARCHES
from api.postgres import transact
from api.store.tables import documents

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
    engine: AsyncEngine, query: Embedding, model: str, *, limit: int, equals: dict[str, Any]
) -> list[Match]:
    """The `limit` nearest documents of `model` whose metadata has all of `equals`: by score, equal ones by id.

    There are fewer results only when fewer documents match, whatever the index leaves out. Raises DependencyUnavailable
    when Postgres can't be reached.
    """
    statement = _matching(query, model, equals)

    async def work(connection: AsyncConnection) -> list[Match]:
        found = await _through_index(connection, statement, limit + TWINS)
        return found if _has_all(found, limit) else await _exact(connection, statement, limit)

    found = await transact(engine, work, reads=True)
    return sorted(found, key=lambda match: (-match.score, match.id))[:limit]


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


def _matching(query: Embedding, model: str, equals: dict[str, Any]) -> Select[Any]:
    distance = documents.c.embedding.cosine_distance(query.floats()).label("distance")
    matching = [documents.c.model == model]
    if equals:
        matching.append(documents.c.metadata.contains(equals))
    return select(documents.c.id, documents.c.text, documents.c.metadata, distance).where(*matching)


async def _through_index(connection: AsyncConnection, statement: Select[Any], limit: int) -> list[Match]:
    """Candidates from the index, without those that the filter removes; the scan goes on for more, up to a limit."""
    await connection.execute(
        select(
            func.set_config("hnsw.ef_search", str(EF_SEARCH), True),
            func.set_config("hnsw.iterative_scan", "strict_order", True),
        )
    )
    nearest = statement.order_by(statement.selected_columns.distance).limit(limit)
    return [_match(row) for row in await connection.execute(nearest)]


async def _exact(connection: AsyncConnection, statement: Select[Any], limit: int) -> list[Match]:
    """All matches, without the HNSW index; the metadata index stays in use (a bitmap scan)."""
    EXACT_SEARCHES.inc()
    await connection.execute(select(func.set_config("enable_indexscan", "off", True)))
    found = statement.subquery()
    rounded = func.round(found.c.distance * 10**DIGITS)
    best = select(found).order_by(rounded, found.c.id.collate("C")).limit(limit)
    return [_match(row) for row in await connection.execute(best)]


def _match(row: Row[Any]) -> Match:
    return Match(row.id, row.text, row.metadata, round(1 - row.distance, DIGITS))
