"""The health sample of Postgres. It has its own connection, since a busy pool is no outage."""

from contextlib import suppress

import asyncpg

from api.degraded import READS_ONLY, WRONG_SCHEMA
from api.postgres_connection import FAILURES, Connector
from api.revision import HEAD_REVISION
from warmstart.errors import Unavailable

SAMPLE_TIMEOUT = 2.0  # seconds; nobody cancels an abandoned sample, so it must end by itself
READ_ONLY = "SELECT current_setting('transaction_read_only') = 'on'"
REVISION = "SELECT version_num FROM alembic_version"


class PostgresHealth:
    """Keeps its connection from one sample to the next; a new connection takes ten times as long."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._kept: asyncpg.Connection | None = None

    async def check(self) -> None:
        """Raise when Postgres does not answer, is read-only, or has another schema.

        A kept connection may lead to a server that is no longer the primary, so a new connection confirms a failure.
        """
        kept, self._kept = self._kept, None  # a sample that is cut off leaves no connection behind
        if kept:
            with suppress(*FAILURES):
                if await _failure(kept) is None:
                    self._kept = kept
                    return
        fresh = await self._connector()
        if failure := await _failure(fresh):
            raise Unavailable(failure)
        self._kept = fresh

    def close(self) -> None:
        """End the connection."""
        if self._kept:
            self._kept.terminate()


async def _failure(connection: asyncpg.Connection) -> str | None:
    """What is wrong on this connection, which then is ended, and not politely: a hung one could not be."""
    failure: str | None = "cut"
    try:
        # In a transaction, or a pooler may send the two halves of a query to two connections.
        async with connection.transaction():
            read_only = await connection.fetchval(READ_ONLY, timeout=SAMPLE_TIMEOUT)
            revision = await connection.fetchval(REVISION, timeout=SAMPLE_TIMEOUT)
        failure = f"{READS_ONLY}: it takes no writes; is it a replica?" if read_only else _wrong(revision)
    except asyncpg.UndefinedTableError:
        failure = _wrong(None)
    finally:
        if failure:
            connection.terminate()
    return failure


def _wrong(found: str | None) -> str | None:
    """The revision that was found, the expected one and the command to run; None for the right revision."""
    if found == HEAD_REVISION:
        return None
    return f"{WRONG_SCHEMA} {found or 'none'}, expected {HEAD_REVISION}: run the migrate step (python -m api.migrate)"
