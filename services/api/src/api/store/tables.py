"""The schema as SQLAlchemy sees it; `migrations/` makes it."""

from pgvector.sqlalchemy import Vector
from sqlalchemy import Column, DateTime, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from contract.model import ModelInfo
from warmstart.errors import DependencyUnavailable

DIMENSIONS = 384  # of the column; another vector size needs a migration

documents = Table(
    "documents",
    MetaData(),
    Column("id", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("metadata", JSONB, nullable=False),
    Column("model", Text, nullable=False, comment="fingerprint of the embedding's model"),
    Column("embedding", Vector(DIMENSIONS), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)


def require_storable(model: ModelInfo) -> None:
    """Raise DependencyUnavailable when the model's vectors do not fit the column."""
    if model.dimensions != DIMENSIONS:
        has = f"{model.model} has {model.dimensions} dimensions"
        raise DependencyUnavailable("worker", f"{has}, the documents table holds {DIMENSIONS}")
