"""Opens Postgres: an engine that answered at the schema this code is written for."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from api.revision import HEAD_REVISION
from api.settings import ApiSettings
from servicekit.errors import DependencyUnavailable
from servicekit.health import reason

CONNECT_TIMEOUT = 2.0  # seconds; asyncpg's own 60 could eat the whole start-up budget
COMMAND_TIMEOUT = 5.0  # seconds, well below a request's budget
POOL_TIMEOUT = 2.0  # seconds to wait for a free connection

UNREACHABLE = (OSError, PoolTimeoutError, OperationalError, InterfaceError)  # OSError includes TimeoutError
# https://www.postgresql.org/docs/current/errcodes-appendix.html: connection exception, transaction rollback
# (deadlock), insufficient resources, operator intervention (starting up, shutting down)
UNAVAILABLE_CLASSES = {"08", "40", "53", "57"}
UNDEFINED_TABLE = "42P01"


def create_engine(settings: ApiSettings) -> AsyncEngine:
    """The pool, with short limits everywhere; it connects on first use."""
    return create_async_engine(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        pool_pre_ping=True,
        connect_args={"timeout": CONNECT_TIMEOUT, "command_timeout": COMMAND_TIMEOUT},
    )


@asynccontextmanager
async def open_engine(app: FastAPI) -> AsyncIterator[AsyncEngine]:
    """Yield the engine. Raises RuntimeError when the schema is not at `HEAD_REVISION`, or a driver error."""
    engine = create_engine(app.state.settings)
    try:
        revision = await _revision(engine)
        if revision != HEAD_REVISION:
            raise RuntimeError(
                f"database is at revision {revision or 'none'}, expected {HEAD_REVISION}: "
                "run the migrate step (python -m api.migrate)"
            )
        yield engine
    finally:
        await engine.dispose()


async def ping_engine(engine: AsyncEngine) -> None:
    """Raise when Postgres does not answer.

    On a connection of its own: a busy pool is no outage, and a hung one can't be given back in time.
    """
    _, options = engine.dialect.create_connect_args(engine.url)
    connection = await asyncpg.connect(**options, timeout=CONNECT_TIMEOUT, command_timeout=CONNECT_TIMEOUT)
    try:
        await connection.execute("SELECT 1")
    finally:
        connection.terminate()


async def _revision(engine: AsyncEngine) -> str | None:
    async with engine.connect() as connection:
        try:
            revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        except ProgrammingError as error:
            if sqlstate(error) != UNDEFINED_TABLE:
                raise
            return None
        return str(revision) if revision else None


def sqlstate(error: DBAPIError) -> str:
    """The five characters of the server's error code; empty for an error of the driver."""
    return getattr(error.orig, "sqlstate", None) or ""


@contextmanager
def unavailable_as_503() -> Iterator[None]:
    """Turn "Postgres can't serve this now" into a typed 503; errors of the statement itself pass."""
    try:
        yield
    except UNREACHABLE as error:
        raise DependencyUnavailable("postgres", reason(error)) from error
    except DBAPIError as error:
        if not error.connection_invalidated and sqlstate(error)[:2] not in UNAVAILABLE_CLASSES:
            raise
        raise DependencyUnavailable("postgres", reason(error)) from error
