"""The schema as SQLAlchemy sees it; `migrations/` makes it."""

from pgvector.sqlalchemy import Vector
from sqlalchemy import BigInteger, Boolean, Column, DateTime, ForeignKey, MetaData, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB

_SCHEMA = MetaData()
OLD_DIMENSIONS = 384  # of `documents.embedding`

documents = Table(
    "documents",
    _SCHEMA,
    Column("id", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("metadata", JSONB, nullable=False),
    Column("model", Text, nullable=False, comment="fingerprint of the embedding's model"),
    # For apis from before revision 0002, while they are replaced: they search it. What they write, a trigger copies.
    Column("embedding", Vector(OLD_DIMENSIONS), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

# A document has a vector in each space that it was embedded for. Each space is a partition (`api.store.spaces`).
embeddings = Table(
    "embeddings",
    _SCHEMA,
    Column("document_id", Text, ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("space", Text, primary_key=True),
    Column("embedding", Vector, nullable=False),
    postgresql_partition_by="LIST (space)",
)

# One row while a model is replaced, and `ended` afterwards. Who reads or writes `embeddings` reads it before.
replacement = Table(
    "replacement",
    _SCHEMA,
    Column("one", Boolean, primary_key=True, server_default="true"),
    Column("old", Text, nullable=False, comment="the space that was served before"),
    Column("new", Text, nullable=False, comment="the space that is to be served"),
    Column("old_model", Text, nullable=False, comment="name of the old space's model, for people"),
    Column("new_model", Text, nullable=False),
    Column("served", Text, nullable=False, comment="the space that searches use: one of both"),
    Column("done", BigInteger, nullable=False, server_default="0", comment="documents with a vector in `new`"),
    Column("total", BigInteger, nullable=False, server_default="0", comment="documents; both as the job last counted"),
    Column("since", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("ended", DateTime(timezone=True), comment="when the space that isn't served was dropped"),
)
