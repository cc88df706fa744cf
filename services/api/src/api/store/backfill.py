"""Vectors of a space for documents that lack one: which these are, and how vectors get to them beside writers."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import exists, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.embedding import Embedding
from api.postgres import transact
from api.postgres_errors import sqlstate
from api.store.replacement import UNDER_WAY, ReplacementError, concerns, has_vector
from api.store.tables import documents

# What a page costs must not depend on what lies before it: other plans read or sort a whole table for each page.
_NOT_WHOLE = ("enable_hashjoin", "enable_mergejoin", "enable_seqscan", "enable_bitmapscan", "enable_sort")


@dataclass(frozen=True)
class Found:
    """A document, and its text when it was read."""

    id: str
    text: str


async def page(engine: AsyncEngine, space: str, after: str, size: int) -> list[Found]:
    """The first `size` documents behind the id `after` that have no vector in the space, in order of id.

    Raises ReplacementError when no replacement with the space is under way, and DependencyUnavailable.
    """
    first = select(documents.c.id, documents.c.text).where(documents.c.id > after, ~has_vector(space))
    first = first.order_by(documents.c.id).limit(size)

    async def work(connection: AsyncConnection) -> list[Found]:
        await _check(connection, space)
        await connection.execute(select(*(func.set_config(each, "off", True) for each in _NOT_WHOLE)))
        return [Found(row.id, row.text) for row in await connection.execute(first)]

    return await transact(engine, work, reads=True)


async def lacking(engine: AsyncEngine, space: str, ids: Sequence[str]) -> list[Found]:
    """Those of these documents that have no vector in the space. Raises DependencyUnavailable."""
    some = select(documents.c.id, documents.c.text).where(documents.c.id.in_(ids), ~has_vector(space))

    async def work(connection: AsyncConnection) -> list[Found]:
        return [Found(row.id, row.text) for row in await connection.execute(some)]

    return await transact(engine, work, reads=True)


async def _check(connection: AsyncConnection, space: str) -> None:
    """The first statement of each transaction: it locks `replacement` before the other tables, as all do."""
    known = select(exists().where(UNDER_WAY, concerns(space)))
    if not await connection.scalar(known):
        raise ReplacementError(f"no replacement with the space {space} is under way")


# The vectors are one array of numbers: as texts, 256 of 384 dimensions took 40 ms to write.
# In order of id by its bytes, as other writers lock them. A writer that changes a text waits for this, or this for it;
# in both cases the vectors that stay are of the text that stays.
_WRITE = text("""
INSERT INTO embeddings (document_id, space, embedding)
SELECT documents.id, CAST(:space AS text),
  CAST((CAST(:numbers AS real[]))[(place - 1) * :dimensions + 1 : place * :dimensions] AS vector)
FROM unnest(CAST(:ids AS text[]), CAST(:texts AS text[])) WITH ORDINALITY AS made (id, text, place)
JOIN documents ON documents.id = made.id AND documents.text = made.text
ORDER BY documents.id COLLATE "C"
FOR SHARE OF documents
ON CONFLICT DO NOTHING
""")
_NO_PARTITION = "23514"  # check_violation


async def write(engine: AsyncEngine, space: str, made: Sequence[tuple[Found, Embedding]]) -> int:
    """Give documents, one at least, their vectors; returns how many it gave.

    A document whose text has changed, or that has got a vector meanwhile, is left to whoever did it. Raises
    ReplacementError when the replacement has ended or the vectors have another number of dimensions, StatementError
    when Postgres refuses a vector, and DependencyUnavailable.
    """
    values = {
        "space": space,
        "ids": [found.id for found, _ in made],
        "texts": [found.text for found, _ in made],
        "numbers": [number for _, vector in made for number in vector.floats()],
        "dimensions": len(made[0][1].floats()),
    }

    async def work(connection: AsyncConnection) -> int:
        await _check(connection, space)
        try:
            return (await connection.execute(_WRITE, values)).rowcount
        except DBAPIError as error:
            if sqlstate(error) != _NO_PARTITION:
                raise
            raise ReplacementError(f"the space {space} takes no such vectors") from error

    return await transact(engine, work)


async def sample(engine: AsyncEngine, size: int) -> list[Found]:
    """So many documents, chosen at random. Raises DependencyUnavailable."""
    chosen = select(documents.c.id).order_by(func.random()).limit(size)
    whole = select(documents.c.id, documents.c.text).where(documents.c.id.in_(chosen))

    async def work(connection: AsyncConnection) -> list[Found]:
        return [Found(row.id, row.text) for row in await connection.execute(whole)]

    return await transact(engine, work, reads=True)
