"""The statements of a search: through the HNSW index, through the metadata's index, and without an index.

Which index a statement uses is not left to Postgres' estimate of how many documents match. It knows nothing of metadata
above 1 kB, of a new table, or of what has changed since: then it took 20,000 of 40,000 documents one by one, which
costs 200 ms where the HNSW index costs 3, and with 1,000,000 documents more than `COMMAND_TIMEOUT`.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple

from pgvector.sqlalchemy import Vector
from sqlalchemy import (
    ARRAY,
    REAL,
    FromClause,
    Integer,
    Row,
    Select,
    bindparam,
    cast,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from api.embedding import Embedding
from api.store import spaces
from api.store.tables import documents, embeddings

DIGITS = 6  # of a score: numbers are float32, and scores that differ only by rounding count as equal
# Matches that are compared one by one, at 10 µs each: more than that many, or than a search says, are looked for in
# the HNSW index, which takes 15 µs for each candidate.
FEW = 5000

# As an array of numbers: to write 384 of them as text takes 0.2 ms, to read it again half as long.
_QUERY = bindparam("query", type_=ARRAY(REAL, dimensions=1))
_EQUALS = bindparam("equals", type_=JSONB)
_LIMIT, _CANDIDATES = bindparam("limit", type_=Integer), bindparam("candidates", type_=Integer)


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
    def statements(self) -> "_Statements":
        """Those for its space and its kind."""
        return _statements(self.space, self.query.dimensions, filtered=bool(self.equals))

    def values(self, limit: int, **more: int) -> dict[str, Any]:
        """The parameters of a statement."""
        equals = {"equals": self.equals} if self.equals else {}
        return {"query": self.query.floats(), "limit": limit, **equals, **more}


class _Statements(NamedTuple):
    near: Select[Any]  # of some candidates of the index
    far: Select[Any]  # of all that the index's scan comes to
    few: Select[Any]
    whole: Select[Any]


async def among(connection: AsyncConnection, wanted: Wanted, limit: int, candidates: int) -> list[Match]:
    """The first `limit` that match of the `candidates` that the index finds nearest."""
    values = wanted.values(limit, candidates=candidates)
    return [_match(row) for row in await connection.execute(wanted.statements.near, values)]


async def further(connection: AsyncConnection, wanted: Wanted, limit: int) -> list[Match]:
    """The first `limit` that match of all that the index's scan comes to (`hnsw.max_scan_tuples`)."""
    # Postgres would rather compare and sort 100,000 documents, in 100 to 200 ms, than follow the index, in 8 to 40.
    await connection.execute(_settings(enable_seqscan="off", enable_sort="off"))
    return [_match(row) for row in await connection.execute(wanted.statements.far, wanted.values(limit))]


async def of_few(connection: AsyncConnection, wanted: Wanted, limit: int, most: int) -> list[Match] | None:
    """The best of all that match, exactly; None if more than `most` do."""
    # Were a filter that matches nothing taken for a common one, Postgres would read all documents for it.
    await connection.execute(_settings(enable_seqscan="off"))
    values = wanted.values(limit, candidates=most + 1)
    rows = (await connection.execute(wanted.statements.few, values)).all()
    return None if rows and rows[0].counted > most else [_match(row) for row in rows]


async def exact(connection: AsyncConnection, wanted: Wanted, limit: int) -> list[Match]:
    """The best of all that match, without the HNSW index."""
    await connection.execute(_settings(enable_seqscan="on", enable_sort="on", enable_indexscan="off"))
    return [_match(row) for row in await connection.execute(wanted.statements.whole, wanted.values(limit))]


@cache
def _settings(**settings: str) -> Select[Any]:
    """Make Postgres plan so in this transaction."""
    return select(*(func.set_config(name, value, True) for name, value in settings.items()))


@lru_cache(maxsize=16)
def _statements(space: str, dimensions: int, *, filtered: bool) -> _Statements:
    """Made once: SQLAlchemy takes as long to put one together as to execute it."""
    query = cast(_QUERY, Vector(dimensions))
    distance = cast(embeddings.c.embedding, Vector(dimensions)).cosine_distance(query).label("distance")
    vectors = select(embeddings.c.document_id, distance).where(embeddings.c.space == spaces.named(space))
    ordered = vectors.order_by("distance")
    matches = vectors.join(documents).where(documents.c.metadata.contains(_EQUALS)) if filtered else vectors
    return _Statements(
        near=_matching(ordered.limit(_CANDIDATES).subquery("near"), filtered=filtered),
        far=_matching(ordered.subquery("near"), filtered=filtered),
        few=_best(matches.limit(_CANDIDATES).cte("some")),
        whole=_best(matches.subquery("some")),
    )


def _matching(near: FromClause, *, filtered: bool) -> Select[Any]:
    """The first candidates that match; no more are looked at, so the index's scan ends with them.

    Each candidate's document is looked up by its id: `OFFSET 0` keeps Postgres from reading all that match instead.
    """
    document = select(documents.c.id, documents.c.text, documents.c.metadata).where(
        documents.c.id == near.c.document_id
    )
    document = document.where(documents.c.metadata.contains(_EQUALS)) if filtered else document
    found = document.offset(0).lateral("document")
    columns = (found.c.id, found.c.text, found.c.metadata, near.c.distance)
    return select(*columns).join_from(near, found, true()).order_by("distance").limit(_LIMIT)


def _best(found: FromClause) -> Select[Any]:
    """The best of those found, each with the number of all: sorted by what the HNSW index can't sort by."""
    columns = (found.c.document_id, found.c.distance, func.count().over().label("counted"))
    rounded = func.round(found.c.distance * 10**DIGITS)
    best = select(*columns).order_by(rounded, found.c.document_id.collate("C")).limit(_LIMIT).subquery("best")
    # Texts are read of these alone: with all of them, sorting took twice as long.
    whole = select(documents.c.id, documents.c.text, documents.c.metadata, best.c.distance, best.c.counted)
    return whole.join_from(best, documents, documents.c.id == best.c.document_id)


def _match(row: Row[*tuple[Any, ...]]) -> Match:
    return Match(row.id, row.text, row.metadata, round(1 - row.distance, DIGITS))
