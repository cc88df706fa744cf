"""Vectors move into a table of their own, by space, with any number of dimensions.

The step expands only: apis from before go on. What they store, a trigger copies; newer ones store vectors of 384
dimensions in `documents.embedding` too, so that those find them, without an index. A later revision drops that column.
"""

import hashlib
import sys

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import Vector

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# The default model's space, and the fingerprints of its engines; as `contract.space` had them at this revision.
DEFAULT = "97b8d8be1b0eabb2b69586860935acd8e4a4b54ba55eed9c2377f97fc79c6a7a"
KNOWN = (
    "a0da5aae898d2fbde4abe24f1d40e7cf66730945285ef7d4ed139fdcfc41a779",
    "72168e690c7fdcc3bdbb3c8b230b62f8f97279a5bdecaa137496681df95c1258",
    "3d3b390e05820ddda82e0c35b0a4c0f5544b662bb364d7675010622bb365f512",
    "313e4be865c14856fae3943488d0c293c2f2c25a61113eccb74a1903eecaaadb",
)
DIMENSIONS = 384  # of `documents.embedding`; a document that has only others has zeros there

SPACE_OF = """
CREATE OR REPLACE FUNCTION embeddings_space(model text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN model IN ({known}) THEN '{default}' ELSE model END $$
"""
SPACES = "SELECT DISTINCT embeddings_space(model) FROM documents WHERE vector_norm(embedding) > 0"
# An index whose vectors don't fit (64 MB, Postgres' default, hold 28,369) takes ten times as long and more. Processes
# beside this one would need as much of /dev/shm, of which a container has little. A step that waited without end for
# somebody's open transaction would keep all writers waiting behind it.
SETTINGS = """
SET LOCAL lock_timeout = '3s';
SET LOCAL maintenance_work_mem = '512MB';
SET LOCAL max_parallel_maintenance_workers = 0;
SET LOCAL statement_timeout = 0
"""
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
  FOR EACH ROW WHEN (current_setting('warmstart.spaces', true) IS DISTINCT FROM '1') EXECUTE FUNCTION embeddings_copy()
"""
MOVE = """
CREATE TABLE {table}
  (LIKE embeddings INCLUDING ALL, CHECK (space = {space}), CHECK (vector_dims(embedding) = {dimensions}));
INSERT INTO {table} SELECT id, {space}, embedding FROM documents
  WHERE embeddings_space(model) = {space} AND vector_norm(embedding) > 0;
CREATE INDEX {table}_hnsw ON {table} USING hnsw ((embedding::vector({dimensions})) vector_cosine_ops);
ALTER TABLE embeddings ATTACH PARTITION {table} FOR VALUES IN ({space});
ANALYZE {table}
"""
# With it, each vector of 384 dimensions would be indexed twice. If somebody reads all the time, it stays. One who has
# read, and waits for the step to write, would be a deadlock.
DROP_INDEX = """
DO $$ BEGIN
  SET LOCAL lock_timeout = '2s';
  DROP INDEX documents_embedding;
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
  NULL;
END $$
"""
LEFT = "migrate: the index documents_embedding is in use and stays: drop it later (docs/operations.md)"
INDEX = "CREATE INDEX IF NOT EXISTS documents_embedding ON documents USING hnsw (embedding vector_cosine_ops)"


def _set() -> None:
    for statement in SETTINGS.split(";"):
        op.execute(statement)


def upgrade() -> None:
    _set()
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
    op.execute(DROP_INDEX)  # last: from here to the commit, nobody reads
    if op.get_bind().scalar(sa.select(sa.func.to_regclass("documents_embedding"))):
        print(LEFT, file=sys.stderr)  # noqa: T201 - the step's output


def _move(space: str) -> None:
    """Make a space of the documents that it has; `api.store.spaces` makes the later ones."""
    connection = op.get_bind()
    table = f"embeddings_{hashlib.sha256(space.encode()).hexdigest()[:16]}"
    quoted = connection.execute(sa.select(sa.func.quote_literal(space))).scalar_one()
    for statement in MOVE.split(";"):
        connection.exec_driver_sql(statement.format(table=table, space=quoted, dimensions=DIMENSIONS))


def downgrade() -> None:
    """Nothing moves: what has `DIMENSIONS` is in `documents` already. Documents that have only others stay, with zeros.

    What is dropped waits for all readers of documents, and later readers wait behind it: not for long.
    """
    _set()
    op.execute(INDEX)
    op.execute("DROP TRIGGER embeddings_copy ON documents")
    op.execute("DROP FUNCTION embeddings_copy")
    op.drop_table("embeddings")
    op.execute("DROP FUNCTION embeddings_space")
