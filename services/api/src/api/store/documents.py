"""Writing, reading and deleting documents by id."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import ARRAY, Delete, Text, any_, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.embedding import Embedding
from api.postgres import transact
from api.postgres_errors import sqlstate
from api.store import spaces
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
_INSERT = insert(documents)
_UPSERT = _INSERT.values(updated_at=func.now()).on_conflict_do_update(
    index_elements=[documents.c.id],
    set_={column.name: _INSERT.excluded[column.name] for column in documents.c if not column.primary_key},
)
_VECTORS = insert(embeddings)
_UPSERT_VECTORS = _VECTORS.on_conflict_do_update(
    index_elements=[embeddings.c.document_id, embeddings.c.space],
    set_={"embedding": _VECTORS.excluded.embedding},
)
# The migration's trigger, which copies what apis from before spaces write, leaves out such a transaction.
_WITH_SPACES = select(func.set_config("warmstart.spaces", "1", True))
_NO_PARTITION = "23514"  # check_violation
# By space, one vector for each document. The first space is that of the served model.
Vectors: TypeAlias = Mapping[str, Sequence[Embedding]]


class _NoSpaceError(Exception):
    """No document of the space has been written yet."""

    def __init__(self, space: str) -> None:
        self.space = space


async def upsert(engine: AsyncEngine, new: Sequence[NewDocument], vectors: Vectors, model: str) -> None:
    """Store all or none. What the documents had in other spaces is of their former texts, and goes.

    The first documents of a space bring it into being. Raises DependencyUnavailable when Postgres can't be reached.
    """
    # Sorted, since two calls with the same ids in different orders would deadlock.
    order = sorted(range(len(new)), key=lambda place: new[place].id)
    first = next(iter(vectors.values()))
    rows = [{**asdict(new[place]), "model": model, "embedding": _for_old_apis(first[place])} for place in order]
    ids = [row["id"] for row in rows]
    placed = {
        space: [{"document_id": new[place].id, "space": space, "embedding": each[place].floats()} for place in order]
        for space, each in vectors.items()
    }
    made: set[str] = set()

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(_WITH_SPACES)
        await connection.execute(_UPSERT, rows)
        for space, of_space in placed.items():
            try:
                await connection.execute(_UPSERT_VECTORS, of_space)
            except DBAPIError as error:
                if sqlstate(error) != _NO_PARTITION:
                    raise
                if space in made:
                    why = f"space {space} takes no vectors of {len(of_space[0]['embedding'])} dimensions"
                    raise DependencyUnavailable("postgres", why) from None
                raise _NoSpaceError(space) from error
        await connection.execute(_forget_elsewhere(placed), {"ids": ids})

    while True:
        try:
            return await transact(engine, work)
        except _NoSpaceError as missing:
            made.add(missing.space)
            await spaces.make(engine, missing.space, len(vectors[missing.space][0].floats()))


def _for_old_apis(embedding: Embedding) -> Sequence[float]:
    """What apis from before spaces search: they ask for models of `OLD_DIMENSIONS` only, never for another's zeros."""
    floats = embedding.floats()
    return floats if len(floats) == OLD_DIMENSIONS else [0.0] * OLD_DIMENSIONS


def _forget_elsewhere(written: Iterable[str]) -> Delete:
    ours = embeddings.c.document_id == any_(bindparam("ids", type_=ARRAY(Text)))
    return delete(embeddings).where(ours, *(embeddings.c.space != spaces.named(space) for space in written))


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
