"""The replacement of a model while it serves: which two spaces there are, and which one searches use."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.postgres import transact
from api.store import spaces
from api.store.tables import documents, embeddings, replacement
from contract.model import ModelInfo

# Everybody takes locks in the order replacement, documents, embeddings, so that there is no deadlock: each search and
# each writer reads `replacement` first.
STEPS, WRITERS = "SHARE ROW EXCLUSIVE", "SHARE"  # modes that keep out other steps, and writers, but no reader
SERVED = select(replacement.c.served).scalar_subquery()  # part of a statement that is sent anyway; null without a row


@dataclass(frozen=True)
class Replacement:
    """The row. `done` of `total` documents have a vector in the new space, as the job last counted."""

    old: str
    new: str
    old_model: str
    new_model: str
    served: str
    done: int
    total: int
    since: datetime

    @property
    def other(self) -> str:
        """The space that searches don't use."""
        return self.old if self.served == self.new else self.new

    @property
    def progress(self) -> float:
        """`done` as a part of `total`."""
        return self.done / self.total if self.total else 0.0


class OtherSpaceError(Exception):
    """Searches use another space than the caller's vectors are of: embed again. Nothing was written."""

    def __init__(self, served: str) -> None:
        super().__init__(f"searches use the space {served}")
        self.served = served


class ReplacementError(Exception):
    """A step doesn't fit what is under way; the message says what is."""


async def read(engine: AsyncEngine) -> Replacement | None:
    """What is under way; None for nothing. Raises DependencyUnavailable when Postgres can't be reached."""
    return await transact(engine, _read, reads=True)


async def _read(connection: AsyncConnection) -> Replacement | None:
    columns = [column for column in replacement.c if not column.primary_key]
    row = (await connection.execute(select(*columns))).mappings().one_or_none()
    return Replacement(**row) if row else None


async def begin(engine: AsyncEngine, old: ModelInfo, new: ModelInfo) -> Replacement:
    """From here on, writers of documents embed for both models. Goes on with the same replacement if it has begun.

    Raises ReplacementError when both models have one space or another replacement is under way, and
    DependencyUnavailable.
    """
    if old.space == new.space:
        raise ReplacementError(f"{old.model} and {new.model} have one space: nothing needs to be embedded again")
    for model in (old, new):  # the old one, too: nobody may have stored a document
        await spaces.make(engine, model.space, model.dimensions)
    row = {"old": old.space, "new": new.space, "old_model": old.model, "new_model": new.model, "served": old.space}

    async def work(connection: AsyncConnection) -> Replacement | None:
        await _lock(connection, replacement=STEPS)
        if found := await _read(connection):
            return found
        await connection.execute(insert(replacement), row)
        return await _read(connection)

    found = await transact(engine, work)
    if not found or (found.old, found.new) != (old.space, new.space):
        under_way = f"{found.new_model} replaces {found.old_model}" if found else "nothing"
        raise ReplacementError(f"another replacement is under way: {under_way}")
    return found


async def _lock(connection: AsyncConnection, **modes: str) -> None:
    await connection.execute(select(func.set_config("lock_timeout", spaces.LOCK_TIMEOUT, True)))
    for table, mode in modes.items():
        await connection.execute(text(f"LOCK TABLE {table} IN {mode} MODE"))


async def note(engine: AsyncEngine, done: int, total: int) -> None:
    """Write down how far the job has come."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(update(replacement).values(done=done, total=total))

    await transact(engine, work)


async def count(engine: AsyncEngine, space: str) -> tuple[int, int]:
    """How many documents lack a vector in the space, and how many there are."""

    async def work(connection: AsyncConnection) -> tuple[int, int]:
        whole = await connection.execute(select(func.count()).select_from(documents))
        return await _missing(connection, space), whole.scalar_one()

    return await transact(engine, work, reads=True)


async def _missing(connection: AsyncConnection, space: str) -> int:
    has = exists().where(embeddings.c.document_id == documents.c.id, embeddings.c.space == spaces.named(space))
    return int(await connection.scalar(select(func.count()).select_from(documents).where(~has)) or 0)


async def serve(engine: AsyncEngine, space: str, *, lacking: int = 0) -> int:
    """Let searches use a space, unless more than `lacking` documents have no vector in it; returns their number.

    Writers wait while it counts, so that no document slips through; searches go on. Raises ReplacementError, or
    DependencyUnavailable, also when it gets no lock within `spaces.LOCK_TIMEOUT`.
    """

    async def work(connection: AsyncConnection) -> int:
        await _lock(connection, replacement=STEPS, documents=WRITERS)
        missing = await _missing(connection, space)
        if missing <= lacking:
            one_of_both = or_(replacement.c.old == space, replacement.c.new == space)
            changed = await connection.execute(update(replacement).where(one_of_both).values(served=space))
            if not changed.rowcount:
                raise ReplacementError(f"no replacement with the space {space} is under way")
        return missing

    return await transact(engine, work)


async def end(engine: AsyncEngine) -> Replacement:
    """Keep the space that is served, drop the other one with its vectors. Returns what was under way.

    Everybody waits while it does so, for milliseconds. Raises ReplacementError when nothing is under way, or
    DependencyUnavailable, also when it gets no lock within `spaces.LOCK_TIMEOUT`.
    """

    async def work(connection: AsyncConnection) -> Replacement:
        await _lock(connection, replacement="ACCESS EXCLUSIVE", documents="ACCESS EXCLUSIVE")
        found = await _read(connection)
        if not found:
            raise ReplacementError("no model is being replaced")
        await connection.execute(delete(replacement))
        await spaces.drop(connection, found.other)
        return found

    return await transact(engine, work)
