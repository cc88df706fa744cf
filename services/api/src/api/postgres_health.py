"""The health sample of Postgres. It has its own connection, since a busy pool is no outage."""

from collections.abc import Callable
from contextlib import nullcontext, suppress

import asyncpg

from api.degraded import READS_ONLY, WRONG_SCHEMA
from api.postgres_connection import FAILURES, Connector
from api.revision import HEAD_REVISION
from warmstart.errors import Unavailable

SAMPLE_TIMEOUT = 2.0  # seconds; nobody cancels an abandoned sample, so it must end by itself
# One statement is one round trip. Two in a transaction were four: with 0.3 s each a sample took longer than its limit,
# and a database that was only slow counted as lost.
STATE = "SELECT current_setting('transaction_read_only') = 'on', (SELECT version_num FROM alembic_version LIMIT 1)"


class PostgresHealth:
    """Keeps its connection from one sample to the next; a new connection takes ten times as long.

    Args:
        connector: makes the connections.
        changed: called when the kept connection has failed, as others of its age then may, and when a new one succeeds:
            those made meanwhile may lead to a server that is no longer the primary, and that answers reads.
        writes: whether it must take writes.
    """

    def __init__(self, connector: Connector, changed: Callable[[], None], *, writes: bool = True) -> None:
        self._connector = connector
        self._changed = changed
        self._writes = writes
        self._kept: asyncpg.Connection | None = None

    async def check(self) -> None:
        """Raise when Postgres does not answer, is read-only, or has another schema.

        A kept connection may lead to a server that is no longer the primary, so a new connection confirms a failure.
        """
        kept, self._kept = self._kept, None  # a sample that is cut off leaves no connection behind
        if kept:
            try:
                with suppress(*FAILURES):
                    if await self._failure(kept) is None:
                        self._kept = kept
                        return
            finally:  # of a sample that is cut off, too
                if not self._kept:
                    self._changed()
        fresh = await self._connector()
        if failure := await self._failure(fresh):
            raise Unavailable(failure)
        self._kept = fresh
        self._changed()

    async def _failure(self, connection: asyncpg.Connection) -> str | None:
        """What is wrong on this connection, which then is ended, and not politely: a hung one could not be."""
        failure: str | None = "cut"
        pooled = self._connector.address.driver.get("statement_cache_size") == 0
        try:
            # A pooler may send the two halves of a query to two connections, unless they are in a transaction.
            async with connection.transaction() if pooled else nullcontext():
                [(read_only, revision)] = await connection.fetch(STATE, timeout=SAMPLE_TIMEOUT)
            replica = f"{READS_ONLY}: it takes no writes; is it a replica?" if read_only and self._writes else None
            failure = replica or _wrong(revision)
        except asyncpg.UndefinedTableError:
            failure = _wrong(None)
        finally:
            if failure:
                connection.terminate()
        return failure

    def close(self) -> None:
        """End the connection."""
        if self._kept:
            self._kept.terminate()


def _wrong(found: str | None) -> str | None:
    """The revision that was found, the expected one and the command to run; None for the right revision."""
    if found == HEAD_REVISION:
        return None
    return f"{WRONG_SCHEMA} {found or 'none'}, expected {HEAD_REVISION}: run the migrate step (python -m api.migrate)"
