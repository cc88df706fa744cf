"""The nearest documents of one model, through the HNSW index and, where that falls short, without it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.embedding import Embedding
from api.metrics import EXACT_SEARCHES
from api.postgres import transact
from api.store.tables import documents

EF_SEARCH = 200  # candidates of one index scan, twice the largest limit; pgvector has 40


@dataclass(frozen=True)
class Match:
    """A document and its cosine similarity to the query, -1 to 1."""

    id: str
    text: str
    metadata: dict[str, Any]
    score: float


async def search(
    engine: AsyncEngine, query: Embedding, model: str, *, limit: int, equals: dict[str, Any]
) -> list[Match]:
    """The `limit` nearest documents of `model` whose metadata has all of `equals`, best first.

    Fewer only when no more match, whatever the index leaves out.
    Raises DependencyUnavailable when Postgres can't be reached.
    """
    statement = _nearest(query, model, limit, equals)

    async def work(connection: AsyncConnection) -> Sequence[Row[Any]]:
        rows = await _through_index(connection, statement)
        return rows if len(rows) >= limit else await _exact(connection, statement)

    rows = await transact(engine, work)
    return [Match(row.id, row.text, row.metadata, 1 - row.distance) for row in rows]


def _nearest(query: Embedding, model: str, limit: int, equals: dict[str, Any]) -> Select[Any]:
    distance = documents.c.embedding.cosine_distance(query.floats()).label("distance")
    matching = [documents.c.model == model]
    if equals:
        matching.append(documents.c.metadata.contains(equals))
    columns = (documents.c.id, documents.c.text, documents.c.metadata, distance)
    return select(*columns).where(*matching).order_by(distance).limit(limit)


async def _through_index(connection: AsyncConnection, statement: Select[Any]) -> Sequence[Row[Any]]:
    """Candidates from the index less those the filter removes; the scan goes on for more, up to a limit."""
    await connection.execute(
        select(
            func.set_config("hnsw.ef_search", str(EF_SEARCH), True),
            func.set_config("hnsw.iterative_scan", "strict_order", True),
        )
    )
    rows: Sequence[Row[Any]] = (await connection.execute(statement)).all()
    return rows


async def _exact(connection: AsyncConnection, statement: Select[Any]) -> Sequence[Row[Any]]:
    """The same statement without the HNSW index; the metadata index stays in use (a bitmap scan)."""
    EXACT_SEARCHES.inc()
    await connection.execute(select(func.set_config("enable_indexscan", "off", True)))
    rows: Sequence[Row[Any]] = (await connection.execute(statement)).all()
    return rows
