"""Spaces in Postgres: each is a partition of `embeddings`, with its own number of dimensions and its own HNSW index.

Not one table with a partial index for each: an exact search then reads the vectors of all spaces, an index is built
beside the writers of all, and may be left invalid. A partition comes in one transaction, and nobody waits for it but
writers of documents, for milliseconds.
"""

import hashlib
from collections.abc import Iterator

from pgvector.sqlalchemy import HALFVEC, Vector
from sqlalchemy import BindParameter, Text, TextClause, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import TypeEngine

from api.postgres import transact

LOCK = 0x73706163  # an arbitrary number that all releases share
LOCK_TIMEOUT = "1s"  # writers of documents wait no longer behind a space that can't get its lock
# Largest numbers of dimensions that pgvector's HNSW takes, at full and at half precision.
FULL, HALF = 2000, 4000


def named(space: str) -> BindParameter[str]:
    """A space's name as a part of the statement: Postgres then plans for its partition alone."""
    return bindparam(None, space, type_=Text, literal_execute=True)


def partition(space: str) -> str:
    """The name of a space's table."""
    return f"embeddings_{hashlib.sha256(space.encode()).hexdigest()[:16]}"


def indexed_as(dimensions: int) -> TypeEngine[object] | None:
    """The type that a space's index is of; None for vectors that are too long for any: they are searched without."""
    if dimensions <= FULL:
        return Vector(dimensions)
    return HALFVEC(dimensions) if dimensions <= HALF else None


def statements(space: str, dimensions: int) -> Iterator[TextClause]:
    """What makes a space."""
    for statement in _sql(partition(space), "'{}'".format(space.replace("'", "''")), dimensions):
        yield text(statement.replace(":", "\\:"))  # a colon would name a parameter


def _sql(table: str, quoted: str, dimensions: int) -> Iterator[str]:
    yield (
        f"CREATE TABLE {table} (LIKE embeddings INCLUDING ALL,"
        f" CHECK (space = {quoted}), CHECK (vector_dims(embedding) = {dimensions}))"
    )
    if dimensions <= HALF:
        kind = "vector" if dimensions <= FULL else "halfvec"
        yield (f"CREATE INDEX {table}_hnsw ON {table} USING hnsw ((embedding::{kind}({dimensions})) {kind}_cosine_ops)")
    # Unlike CREATE TABLE ... PARTITION OF, this lets readers and writers of the other spaces go on.
    yield f"ALTER TABLE embeddings ATTACH PARTITION {table} FOR VALUES IN ({quoted})"


async def make(engine: AsyncEngine, space: str, dimensions: int) -> None:
    """Make a space unless it exists, whoever else does so now. Raises DependencyUnavailable.

    It is made in one transaction: there is all of it or nothing.
    """

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(select(func.set_config("lock_timeout", LOCK_TIMEOUT, True)))
        await connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
        if await connection.scalar(select(func.to_regclass(partition(space)))) is None:
            for statement in statements(space, dimensions):
                await connection.execute(statement)

    await transact(engine, work)
