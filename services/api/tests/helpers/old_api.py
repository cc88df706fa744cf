"""How an api from before revision 0002 stores and searches: its table and statements, copied."""

from collections.abc import Mapping, Sequence
from typing import Any

from pgvector.sqlalchemy import Vector
from sqlalchemy import Column, DateTime, MetaData, Table, Text, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncEngine

documents = Table(
    "documents",
    MetaData(),
    Column("id", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("metadata", JSONB, nullable=False),
    Column("model", Text, nullable=False),
    Column("embedding", Vector(384), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)
_INSERT = insert(documents)
_UPSERT = _INSERT.values(updated_at=func.now()).on_conflict_do_update(
    index_elements=[documents.c.id],
    set_={column.name: _INSERT.excluded[column.name] for column in documents.c if not column.primary_key},
)


async def upsert(engine: AsyncEngine, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store documents: mappings of id, text, metadata, model and embedding."""
    async with engine.begin() as connection:
        await connection.execute(_UPSERT, rows)


async def search(engine: AsyncEngine, floats: Sequence[float], model: str) -> dict[str, float]:
    """Scores of the hundred nearest, by id. A distance that is no number is an error, as it was there."""
    distance = documents.c.embedding.cosine_distance(floats).label("distance")
    matching = select(documents.c.id, documents.c.text, documents.c.metadata, distance)
    matching = matching.where(documents.c.model == model, documents.c.metadata.contains({}))
    async with engine.connect() as connection:
        rows = await connection.execute(matching.order_by(matching.selected_columns.distance).limit(100))
        return {row.id: round(1 - row.distance, 6) for row in rows}
