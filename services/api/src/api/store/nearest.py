"""The statements of a search: through the HNSW index, through the metadata's index, and without an index.

Which index a statement uses is not left to Postgres' estimate of how many documents match. It knows nothing of metadata
above 1 kB, of a new table, or of what has changed since: then it took 20,000 of 40,000 documents one by one, which
costs 200 ms where the HNSW index costs 3, and with 1,000,000 documents more than `COMMAND_TIMEOUT`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pgvector.sqlalchemy import Vector
from sqlalchemy import ColumnElement, FromClause, Row, Select, cast, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from api.embedding import Embedding
from api.store import spaces
from api.store.tables import documents, embeddings

DIGITS = 6  # of a score: numbers are float32, and scores that differ only by rounding count as equal
# Matches that are compared one by one, at 10 µs each: more than that many are looked for through the HNSW index, which
# takes 15 µs for each candidate.
FEW = 5000


@dataclass(frozen=True)
class Match:
    """A document and its cosine similarity to the query, -1 to 1, rounded to `DIGITS`."""

    id: str
    text: str
    metadata: dict[str, Any]
    score: float


@dataclass(frozen=True)
class Wanted:
    """The query, its space, and what the metadata of a document must have."""

    query: Embedding
    space: str
    equals: dict[str, Any]

    @property
    def distance(self) -> ColumnElement[float]:
        """By which the space's index sorts."""
        floats = self.query.floats()
        found: ColumnElement[float] = cast(embeddings.c.embedding, Vector(len(floats))).cosine_distance(floats)
        return found

    @property
    def matching(self) -> ColumnElement[bool]:
        """Whether a document passes the filter."""
        return documents.c.metadata.contains(self.equals) if self.equals else true()

    def vectors(self) -> Select[Any]:
        """Ids of the documents in the space, with their distances."""
        found = select(embeddings.c.document_id, self.distance.label("distance"))
        return found.where(embeddings.c.space == spaces.named(self.space))

    def matches(self) -> Select[Any]:
        """The same of those that pass the filter."""
        return self.vectors().join(documents).where(self.matching) if self.equals else self.vectors()


async def through_index(
    connection: AsyncConnection, wanted: Wanted, limit: int, candidates: int | None = None
) -> list[Match]:
    """The first `limit` that match of the nearest `candidates`, or of all that the index's scan comes to.

    The scan ends as soon as there are enough. Each candidate's document is looked up by its id: `OFFSET 0` keeps
    Postgres from reading all documents that match instead.
    """
    found = wanted.vectors().order_by("distance")
    near = (found.limit(candidates) if candidates else found).subquery("near")
    whole = select(documents.c.id, documents.c.text, documents.c.metadata)
    document = whole.where(documents.c.id == near.c.document_id, wanted.matching).offset(0).lateral("document")
    columns = (document.c.id, document.c.text, document.c.metadata, near.c.distance)
    chosen = select(*columns).join_from(near, document, true()).order_by("distance").limit(limit)
    return [_match(row) for row in await connection.execute(chosen)]


async def of_few(connection: AsyncConnection, wanted: Wanted, limit: int) -> list[Match] | None:
    """The best of all that match, exactly; None if more than `FEW` do."""
    # Were a filter that matches nothing taken for a common one, Postgres would read all documents for it.
    await connection.execute(select(func.set_config("enable_seqscan", "off", True)))
    some = wanted.matches().limit(FEW + 1).cte("some")
    rows = await _whole(connection, some, limit)
    return None if rows and rows[0].counted > FEW else [_match(row) for row in rows]


async def exact(connection: AsyncConnection, wanted: Wanted, limit: int) -> list[Match]:
    """The best of all that match, without the HNSW index."""
    settings = {"enable_seqscan": "on", "enable_indexscan": "off"}
    await connection.execute(select(*(func.set_config(name, value, True) for name, value in settings.items())))
    return [_match(row) for row in await _whole(connection, wanted.matches().subquery("all"), limit)]


async def _whole(connection: AsyncConnection, found: FromClause, limit: int) -> Sequence[Row[*tuple[Any, ...]]]:
    """The best of those found, each with the number of all: sorted by distance, which can't use the HNSW index."""
    columns = (found.c.document_id, found.c.distance, func.count().over().label("counted"))
    rounded = func.round(found.c.distance * 10**DIGITS)
    best = select(*columns).order_by(rounded, found.c.document_id.collate("C")).limit(limit).subquery("best")
    # Texts are read of these alone: with all of them, sorting took twice as long.
    whole = select(documents.c.id, documents.c.text, documents.c.metadata, best.c.distance, best.c.counted)
    return (await connection.execute(whole.join_from(best, documents, documents.c.id == best.c.document_id))).all()


def _match(row: Row[*tuple[Any, ...]]) -> Match:
    return Match(row.id, row.text, row.metadata, round(1 - row.distance, DIGITS))
