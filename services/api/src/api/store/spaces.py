"""Spaces in Postgres: each is a partition of `embeddings`, with its own number of dimensions and its own HNSW index.

Not one table with a partial index for each: an exact search then reads the vectors of all spaces, an index is built
beside the writers of all, and may be left invalid. A partition comes in one transaction, and nobody waits for it but
writers of documents, for milliseconds.
"""

import hashlib
from collections.abc import Iterator

from sqlalchemy import BindParameter, Text, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.postgres import transact
from api.postgres_ages import made_from_now_on
from warmstart.errors import DependencyUnavailable

LOCK = 0x73706163  # an arbitrary number that all releases share
# Writers of documents wait no longer behind a space that can't get its lock. Above Postgres' deadlock_timeout of 1 s:
# an autovacuum of documents gives way only to what has waited so long. Below COMMAND_TIMEOUT, which those writers have.
LOCK_TIMEOUT = "3s"
# The largest number of dimensions that pgvector's HNSW takes. At half precision it takes 4,000, but vectors that half
# precision can't tell apart would come in no order, and the best be left out.
INDEXED = 2000
ATTACHED = text("SELECT relispartition FROM pg_class WHERE oid = to_regclass(:table)")


def named(space: str) -> BindParameter[str]:
    """A space's name as a part of the statement: Postgres then plans for its partition alone."""
    return bindparam(None, space, type_=Text, literal_execute=True)


def partition(space: str) -> str:
    """The name of a space's table."""
    return f"embeddings_{hashlib.sha256(space.encode()).hexdigest()[:16]}"


async def create(connection: AsyncConnection, space: str, dimensions: int) -> None:
    """Make a space in the connection's transaction."""
    quoted = await connection.scalar(select(func.quote_literal(space)))
    for statement in _statements(partition(space), str(quoted), dimensions):
        await connection.exec_driver_sql(statement)


def _statements(table: str, quoted: str, dimensions: int) -> Iterator[str]:
    yield (
        f"CREATE TABLE {table} (LIKE embeddings INCLUDING ALL,"
        f" CHECK (space = {quoted}), CHECK (vector_dims(embedding) = {dimensions}))"
    )
    if dimensions <= INDEXED:
        yield f"CREATE INDEX {table}_hnsw ON {table} USING hnsw ((embedding::vector({dimensions})) vector_cosine_ops)"
    # Unlike CREATE TABLE ... PARTITION OF, this lets readers and writers of the other spaces go on.
    yield f"ALTER TABLE embeddings ATTACH PARTITION {table} FOR VALUES IN ({quoted})"


async def make(engine: AsyncEngine, space: str, dimensions: int) -> None:
    """Make a space unless it exists, whoever else does so now; in one transaction, so that there is all or nothing.

    Raises DependencyUnavailable when Postgres can't be reached, or gives no lock within `LOCK_TIMEOUT`.
    """

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(select(func.set_config("lock_timeout", LOCK_TIMEOUT, True)))
        await connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
        # It gets a foreign key to documents, and is then attached: others lock documents before embeddings, too.
        await connection.exec_driver_sql("LOCK TABLE documents IN SHARE ROW EXCLUSIVE MODE")
        attached = await connection.scalar(ATTACHED, {"table": partition(space)})
        if attached is None:
            await create(connection, space, dimensions)
        elif not attached:
            raise DependencyUnavailable("postgres", f"{partition(space)}, of space {space}, is detached")

    # Where the primary has moved, old connections lead to the former one, which has the space and would say so.
    with made_from_now_on():
        await transact(engine, work)


async def drop(connection: AsyncConnection, space: str) -> None:
    """Drop a space and its vectors in the connection's transaction. Whoever uses any space waits meanwhile."""
    await connection.exec_driver_sql(f"DROP TABLE IF EXISTS {partition(space)}")
