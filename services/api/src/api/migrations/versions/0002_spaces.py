"""Vectors move into a table of their own, by space, with any number of dimensions.

The step expands only: apis from before go on. What they store, a trigger copies; what newer ones store, they read by id
but don't find. It keeps `documents.embedding`, with its index, for them; a later revision drops both.
"""

import hashlib

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import Vector

from contract.space import DEFAULT, KNOWN

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DIMENSIONS = 384  # of `documents.embedding`

SPACE_OF = """
CREATE OR REPLACE FUNCTION embeddings_space(model text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN model IN ({known}) THEN '{default}' ELSE model END $$
"""
SPACES = "SELECT DISTINCT embeddings_space(model) FROM documents WHERE embedding IS NOT NULL"
# 55000: an api from before answers a typed 503 to it.
COPY = """
CREATE OR REPLACE FUNCTION embeddings_copy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO embeddings VALUES (NEW.id, embeddings_space(NEW.model), NEW.embedding)
    ON CONFLICT (document_id, space) DO UPDATE SET embedding = excluded.embedding;
  DELETE FROM embeddings WHERE document_id = NEW.id AND space <> embeddings_space(NEW.model);
  RETURN NEW;
EXCEPTION WHEN check_violation THEN
  RAISE EXCEPTION 'no document of this model was stored yet: a newer api must store the first' USING ERRCODE = '55000';
END $$
"""
TRIGGER = """
CREATE TRIGGER embeddings_copy AFTER INSERT OR UPDATE OF embedding ON documents
  FOR EACH ROW WHEN (NEW.embedding IS NOT NULL) EXECUTE FUNCTION embeddings_copy()
"""
MOVE = """
CREATE TABLE {table}
  (LIKE embeddings INCLUDING ALL, CHECK (space = {space}), CHECK (vector_dims(embedding) = {dimensions}));
INSERT INTO {table} SELECT id, {space}, embedding FROM documents
  WHERE embeddings_space(model) = {space} AND embedding IS NOT NULL;
CREATE INDEX {table}_hnsw ON {table} USING hnsw ((embedding::vector({dimensions})) vector_cosine_ops);
ALTER TABLE embeddings ATTACH PARTITION {table} FOR VALUES IN ({space});
ANALYZE {table}
"""
RESTORE = """
UPDATE documents SET embedding = each.embedding FROM embeddings AS each
  WHERE document_id = id AND space = embeddings_space(model)
  AND documents.embedding IS NULL AND vector_dims(each.embedding) = {dimensions}
"""


def upgrade() -> None:
    # From here to the commit, documents are read but not written.
    op.create_table(
        "embeddings",
        sa.Column("document_id", sa.Text, sa.ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("space", sa.Text, primary_key=True),
        sa.Column("embedding", Vector, nullable=False),
        postgresql_partition_by="LIST (space)",
    )
    known = ", ".join(f"'{each}'" for each in KNOWN)
    op.execute(SPACE_OF.format(known=known, default=DEFAULT))
    found = op.get_bind().execute(sa.text(SPACES))
    for space in sorted({DEFAULT, *found.scalars()}):
        _move(space)
    op.execute(COPY)
    op.execute(TRIGGER)
    op.alter_column("documents", "embedding", nullable=True)  # last: until the commit nobody reads from now on


def _move(space: str) -> None:
    """Make a space of the documents that it has; `api.store.spaces` makes the later ones."""
    table, quoted = (
        f"embeddings_{hashlib.sha256(space.encode()).hexdigest()[:16]}",
        "'{}'".format(space.replace("'", "''")),
    )
    for statement in MOVE.format(table=table, space=quoted, dimensions=DIMENSIONS).split(";"):
        op.execute(statement.replace(":", "\\:"))


def downgrade() -> None:
    """Vectors of `DIMENSIONS` go back. Documents that have only others stay, without one."""
    op.execute("DROP TRIGGER embeddings_copy ON documents")
    op.execute("DROP FUNCTION embeddings_copy")
    op.drop_index("documents_embedding", "documents")  # built anew in a quarter of the time that inserting takes
    op.execute(RESTORE.format(dimensions=DIMENSIONS))
    op.create_index(
        "documents_embedding",
        "documents",
        ["embedding"],
        postgresql_using="hnsw",
        postgresql_ops={"embedding": "vector_cosine_ops"},
    )
    op.drop_table("embeddings")
    op.execute("DROP FUNCTION embeddings_space")
