"""Writing, reading and deleting documents by id."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.embedding import Embedding
from api.postgres import transact
from api.store.tables import documents


@dataclass(frozen=True)
class Document:
    """One row without its vector. `model` is the fingerprint of the model that embedded it."""

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


async def upsert(engine: AsyncEngine, new: Sequence[NewDocument], embeddings: Sequence[Embedding], model: str) -> None:
    """Store all or none. Raises DependencyUnavailable when Postgres can't be reached."""
    rows = [
        {**asdict(document), "model": model, "embedding": embedding.floats()}
        for document, embedding in zip(new, embeddings, strict=True)
    ]
    # Sorted, since two calls with the same ids in different orders would deadlock.
    rows.sort(key=itemgetter("id"))

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(_UPSERT, rows)

    await transact(engine, work)


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
