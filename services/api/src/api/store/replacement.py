"""The replacement of a model while it serves: which two spaces there are, and which one searches use."""

from dataclasses import dataclass, fields
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Exists,
    ScalarSelect,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.postgres import transact
from api.store import spaces
from api.store.tables import documents, embeddings, replacement
from contract.model import ModelInfo

# Searches and writers of documents read `replacement` first; everybody takes locks in the order replacement, documents,
# embeddings. So there is no deadlock, but with searches of an api from before revision 0003.
STEPS, WRITERS, ALL = "SHARE ROW EXCLUSIVE", "SHARE", "ACCESS EXCLUSIVE"  # whom a lock keeps out, besides other steps
# While a step waits for a lock that keeps out all, searches wait behind it. An autovacuum of documents gives way only
# to what has waited for Postgres' deadlock_timeout of 1 s.
GATE_TIMEOUT, DROP_TIMEOUT = "200ms", "1200ms"
# For so long a process or a worker that has not heard of the end may still ask for the space that is gone.
REMEMBERED = text("interval '10 minutes'")
UNDER_WAY = replacement.c.ended.is_(None)
SERVER = text("SELECT pg_postmaster_start_time()")


def concerns(space: str) -> ColumnElement[bool]:
    """Whether the row is of a replacement with this space, the old one or the new one."""
    return or_(replacement.c.old == space, replacement.c.new == space)


def has_vector(space: str) -> Exists:
    """Whether a document has a vector in the space."""
    return exists().where(embeddings.c.document_id == documents.c.id, embeddings.c.space == spaces.named(space))


def served_beside(space: str) -> ScalarSelect[Any]:
    """The space that searches use, if one who asks for `space` must know it, else null: a part of another statement."""
    late = and_(concerns(space), replacement.c.ended > func.now() - REMEMBERED)
    return select(replacement.c.served).where(or_(UNDER_WAY, late)).scalar_subquery()


@dataclass(frozen=True)
class Replacement:
    """One that is under way. `done` of `total` documents have a vector in the new space, as the job last counted."""

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
    def progress(self) -> float | None:
        """`done` as a part of `total`; None before the job has counted any."""
        return self.done / self.total if self.total else None


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
    columns = [replacement.c[each.name] for each in fields(Replacement)]
    row = (await connection.execute(select(*columns).where(UNDER_WAY))).mappings().one_or_none()
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
        await _lock(connection, "replacement", STEPS)
        if found := await _read(connection):
            return found
        await connection.execute(delete(replacement))  # one that has ended
        await connection.execute(insert(replacement), row)
        return await _read(connection)

    found = await transact(engine, work)
    if not found or (found.old, found.new) != (old.space, new.space):
        under_way = f"{found.new_model} replaces {found.old_model}" if found else "nothing"
        raise ReplacementError(f"another replacement is under way: {under_way}")
    return found


async def _lock(connection: AsyncConnection, table: str, mode: str, limit: str = spaces.LOCK_TIMEOUT) -> None:
    await connection.execute(select(func.set_config("lock_timeout", limit, True)))
    await connection.execute(text(f"LOCK TABLE {table} IN {mode} MODE"))


async def note(engine: AsyncEngine, done: int, total: int) -> None:
    """Write down how far the job has come."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(update(replacement).where(UNDER_WAY).values(done=done, total=total))

    await transact(engine, work)


async def count(engine: AsyncEngine, space: str) -> tuple[int, int]:
    """How many documents lack a vector in the space, and how many there are."""

    async def work(connection: AsyncConnection) -> tuple[int, int]:
        whole = await connection.execute(select(func.count()).select_from(documents))
        return await _missing(connection, space), whole.scalar_one()

    return await transact(engine, work, reads=True)


async def _missing(connection: AsyncConnection, space: str) -> int:
    return int(await connection.scalar(select(func.count()).select_from(documents).where(~has_vector(space))) or 0)


async def serve(engine: AsyncEngine, space: str, *, lacking: int = 0) -> int:
    """Let searches use a space, unless more than `lacking` documents have no vector in it; returns their number.

    Writers wait while it counts, so that no document slips through; searches go on. Raises ReplacementError, or
    DependencyUnavailable, also when it gets no lock within `spaces.LOCK_TIMEOUT`.
    """

    async def work(connection: AsyncConnection) -> int:
        await _lock(connection, "replacement", STEPS)
        await _lock(connection, "documents", WRITERS)
        missing = await _missing(connection, space)
        if missing <= lacking:
            turned = update(replacement).where(UNDER_WAY, concerns(space)).values(served=space)
            changed = await connection.execute(turned)
            if not changed.rowcount:
                raise ReplacementError(f"no replacement with the space {space} is under way")
        return missing

    return await transact(engine, work)


async def end(engine: AsyncEngine, keep: str, *, lacking: int = 0) -> None:
    """Keep the space `keep`, which searches use, and drop the other one with its vectors.

    Everybody waits while it does so, for milliseconds. Raises ReplacementError when searches don't use that space, or
    more than `lacking` documents would lose the only vector that they are found by, or Postgres has moved since they
    were counted; DependencyUnavailable, also when somebody's transaction has been open for longer than a lock's limit.
    """
    counted = await transact(engine, partial(_lost_without, keep), reads=True)
    if (lost := counted.documents) > lacking:
        raise ReplacementError(
            f"{lost:,} documents would have no vector any more: serve the other space, or end it with --lacking {lost}"
        )

    async def work(connection: AsyncConnection) -> None:
        await _lock(connection, "replacement", ALL, GATE_TIMEOUT)
        row = (await connection.execute(select(replacement))).one_or_none()
        if not row or row.served != keep:
            raise ReplacementError(f"searches don't use the space {keep} of a replacement")
        await _lock(connection, "documents", ALL, DROP_TIMEOUT)
        if await connection.scalar(SERVER) != counted.server:
            raise ReplacementError("Postgres was restarted or has moved meanwhile; nothing was dropped: do it again")
        await spaces.drop(connection, row.old if keep == row.new else row.new)
        await connection.execute(update(replacement).values(ended=func.now()))

    await transact(engine, work)


class _Counted(NamedTuple):
    documents: int
    server: datetime  # when it was started: what another one has may lag behind


async def _lost_without(keep: str, connection: AsyncConnection) -> _Counted:
    """Documents without a vector in `keep`; of the old space only new ones: others had none before, either."""
    lost = select(func.count()).select_from(documents).where(~has_vector(keep))
    before = select(replacement.c.since).where(UNDER_WAY, replacement.c.old == keep).scalar_subquery()
    new = documents.c.updated_at >= func.coalesce(before, text("'-infinity'"))
    return _Counted(int(await connection.scalar(lost.where(new)) or 0), await connection.scalar(SERVER))
