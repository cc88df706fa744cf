"""Writing, reading and deleting documents by id."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeAlias

from pgvector.sqlalchemy import Vector
from sqlalchemy import ARRAY, REAL, Result, Select, Text, any_, bindparam, cast, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.embedding import Embedding
from api.postgres import transact
from api.postgres_errors import sqlstate
from api.store import spaces
from api.store.replacement import OtherSpaceError, served_beside
from api.store.tables import OLD_DIMENSIONS, documents, embeddings
from warmstart.errors import DependencyUnavailable


@dataclass(frozen=True)
class Document:
    """One row. `model` is the fingerprint of the model that was served when it was stored."""

    id: str
    text: str
    metadata: dict[str, Any]
    model: str
    updated_at: datetime


@dataclass(frozen=True)
class NewDocument:
    """What a caller wants stored."""

    id: str
    text: str
    metadata: dict[str, Any]


_COLUMNS = [column for column in documents.c if column is not documents.c.embedding]
# As an array of numbers: 384 of them as text take 0.15 ms to write, and a document's vector goes to two tables.
_NUMBERS = bindparam("numbers", type_=ARRAY(REAL, dimensions=1))
_OLD_VECTOR = cast(_NUMBERS, Vector(OLD_DIMENSIONS))
_INSERT = insert(documents)
_UPSERT = _INSERT.values(updated_at=func.now(), embedding=_OLD_VECTOR).on_conflict_do_update(
    index_elements=[documents.c.id],
    set_={column.name: _INSERT.excluded[column.name] for column in documents.c if not column.primary_key},
)
_VECTORS = insert(embeddings).values(embedding=cast(_NUMBERS, Vector()))
_UPSERT_VECTORS = _VECTORS.on_conflict_do_update(
    index_elements=[embeddings.c.document_id, embeddings.c.space],
    set_={"embedding": _VECTORS.excluded.embedding},
)
# The migration's trigger, which copies what apis from before spaces write, leaves out such a transaction.
_WITH_SPACES = func.set_config("warmstart.spaces", "1", True)
_NO_PARTITION = "23514"  # check_violation
# By space, one vector for each document. The first space is that which searches use.
Vectors: TypeAlias = Mapping[str, Sequence[Embedding]]


class _NoSpaceError(Exception):
    """The space is not there, or has another number of dimensions."""

    def __init__(self, space: str) -> None:
        self.space = space


async def upsert(engine: AsyncEngine, new: Sequence[NewDocument], vectors: Vectors, model: str) -> None:
    """Store all or none. What the documents had in other spaces is of their former texts, and goes.

    The first documents of the space that searches use bring it into being; another space that is not there is left out.
    Raises OtherSpaceError when a replacement of the model serves a space that `vectors` doesn't have, and
    DependencyUnavailable when Postgres can't be reached.
    """
    # Sorted, since two calls with the same ids in different orders would deadlock.
    order = sorted(range(len(new)), key=lambda place: new[place].id)
    searched = next(iter(vectors))
    ids = [new[place].id for place in order]
    numbers = {space: [each[place].floats() for place in order] for space, each in vectors.items()}
    rows = [
        {**asdict(new[place]), "model": model, "numbers": _for_old_apis(each)}
        for place, each in zip(order, numbers[searched], strict=True)
    ]
    placed = {
        space: [{"document_id": id_, "space": space, "numbers": one} for id_, one in zip(ids, each, strict=True)]
        for space, each in numbers.items()
    }

    async def work(connection: AsyncConnection) -> None:
        _check(placed, await connection.execute(select(served_beside(searched), _WITH_SPACES)))
        await connection.execute(_UPSERT, rows)
        for space, of_space in placed.items():
            await _put(connection, space, of_space)
        # Again: from the first row on, no other space can become the one that searches use.
        _check(placed, await connection.execute(_forget(placed, searched), {"ids": ids}))

    made: set[str] = set()
    while True:
        try:
            return await transact(engine, work)
        except _NoSpaceError as missing:
            space, dimensions = missing.space, vectors[missing.space][0].dimensions
            if space in made:
                why = f"space {space} takes no vectors of {dimensions} dimensions"
                raise DependencyUnavailable("postgres", why) from None
            if space == searched:
                await spaces.make(engine, space, dimensions)
                made.add(space)
            else:  # the replacement that it was for has ended
                del placed[space]


def _check(placed: Iterable[str], answer: Result[Any]) -> None:
    served: str | None = answer.one()[0]
    if served and served not in placed:
        raise OtherSpaceError(served)


async def _put(connection: AsyncConnection, space: str, rows: Sequence[Mapping[str, Any]]) -> None:
    try:
        await connection.execute(_UPSERT_VECTORS, rows)
    except DBAPIError as error:
        if sqlstate(error) != _NO_PARTITION:
            raise
        raise _NoSpaceError(space) from error


def _for_old_apis(numbers: Sequence[float]) -> Sequence[float]:
    """What apis from before spaces search: they ask for models of `OLD_DIMENSIONS` only, never for another's zeros."""
    return numbers if len(numbers) == OLD_DIMENSIONS else [0.0] * OLD_DIMENSIONS


def _forget(written: Iterable[str], searched: str) -> Select[Any]:
    """Delete what is in spaces that were not written; select the space that searches use, if it may be another."""
    ours = embeddings.c.document_id == any_(bindparam("ids", type_=ARRAY(Text)))
    gone = delete(embeddings).where(ours, *(embeddings.c.space != spaces.named(space) for space in written))
    return select(served_beside(searched)).add_cte(gone.cte("gone"))


async def get(engine: AsyncEngine, document_id: str) -> Document | None:
    """The document, or None. Raises DependencyUnavailable when Postgres can't be reached."""

    async def work(connection: AsyncConnection) -> Document | None:
        found = await connection.execute(select(*_COLUMNS).where(documents.c.id == document_id))
        row = found.mappings().one_or_none()
        return Document(**row) if row else None

    return await transact(engine, work, reads=True)


async def remove(engine: AsyncEngine, document_id: str) -> bool:
    """Whether there was such a document. Raises DependencyUnavailable when Postgres can't be reached."""

    async def work(connection: AsyncConnection) -> bool:
        removed = await connection.execute(delete(documents).where(documents.c.id == document_id))
        return removed.rowcount > 0

    return await transact(engine, work)
