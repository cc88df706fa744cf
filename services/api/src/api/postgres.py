"""Opens Postgres: an engine that has answered with the schema that this code needs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from api import pool_use
from api.patience import Patience
from api.patient_connector import AWAY, PatientConnector
from api.pool_use import connected
from api.postgres_ages import ConnectionAges, made_from_now_on
from api.postgres_connection import Connector
from api.postgres_errors import end_stale_connections, leads_to_replica, unavailable_as_503
from api.postgres_health import PostgresHealth
from api.postgres_idle import IdleConnections
from api.settings import ApiSettings
from warmstart.errors import Unavailable
from warmstart.traces import now

COMMAND_TIMEOUT = 5.0  # seconds, well below a request's budget
POOL_TIMEOUT = 2.0  # seconds to wait for a free connection

T = TypeVar("T")


@dataclass(frozen=True)
class Database:
    """The pool for requests, its patience with a Postgres that restarts, and the health sample beside it."""

    engine: AsyncEngine
    health: PostgresHealth
    patience: Patience


def create_engine(connector: Connector, **options: Any) -> AsyncEngine:
    """An engine whose connections `connector` makes, and whose errors quote no parameters: they are users' texts."""
    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args={"async_creator_fn": connector, **connector.address.dialect},
        hide_parameters=True,
        **options,
    )
    end_stale_connections(engine)
    ConnectionAges(engine)
    return engine


@asynccontextmanager
async def open_postgres(app: FastAPI) -> AsyncIterator[Database]:
    """Yield the database. Raises Unavailable when the schema is not at `HEAD_REVISION`, or a driver error."""
    settings: ApiSettings = app.state.settings
    async with _opened(settings, "database_url", settings.database_patience) as database:
        yield database


@asynccontextmanager
async def open_replica(app: FastAPI) -> AsyncIterator[Database | None]:
    """Yield the replica, which takes no writes, and for which nobody waits. Raises as `open_postgres` does.

    None where the vault, which was to name one, has none.
    """
    if app.state.settings.search_database_url is None:
        yield None
        return
    async with _opened(app.state.settings, "search_database_url", 0) as database:
        yield database


@asynccontextmanager
async def _opened(settings: ApiSettings, name: str, patience: float) -> AsyncIterator[Database]:
    connector = PatientConnector(settings, name, patience, command_timeout=COMMAND_TIMEOUT)
    pool = "postgres" if name == "database_url" else "replica"
    pool_use.count(pool, settings.database_pool_size)
    engine = create_engine(
        connector,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        execution_options={pool_use.NAME: pool},
    )  # no pool_pre_ping: it costs three round trips (BEGIN, a query, ROLLBACK), and `transact` tries a second time
    idle = IdleConnections(engine)
    own = Connector(settings, name, command_timeout=COMMAND_TIMEOUT)
    health = PostgresHealth(own, changed=idle.end, writes=name == "database_url")
    try:
        await health.check()
        await transact(engine, _nothing)
        yield Database(engine, health, connector.patience)
    finally:
        await connector.patience.close()
        health.close()
        await engine.dispose()


async def _nothing(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT 1"))


async def check_postgres(database: Database) -> None:
    """Raise when Postgres can't do what routes need."""
    try:
        await database.health.check()
    except AWAY:
        database.patience.missed()
        raise
    except Unavailable:  # it answers, though it can't do all
        database.patience.back()
        raise
    except BaseException:  # also of a sample that was given up
        database.patience.failed()
        raise
    database.patience.back()


async def check_replica(database: Database | None) -> None:
    """Raise when the replica, if there is one, can't do what searches need."""
    if database:
        await check_postgres(database)


def describe_replica(database: Database | None) -> str:
    """Whether there is one."""
    return "searches ask it first" if database else "SEARCH_DATABASE_URL is not set: searches use DATABASE_URL"


async def transact(engine: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[T]], *, reads: bool = False) -> T:
    """Do `work` in a transaction: all or nothing.

    If the first connection was lost, or led to a server that can't do the work, nothing was committed, and the work is
    done once more on a new connection. After a lost COMMIT nobody knows whether it was done, so it is not repeated;
    work that only `reads` needs no COMMIT.
    Raises DependencyUnavailable when Postgres can't serve the work, StatementError when it refuses the statement.
    """
    with unavailable_as_503(), now.span("postgresql", {"db.system.name": "postgresql"}, "client"):
        try:
            return await _transact(engine, work, reads=reads)
        except _LostError:
            return await _transact(engine, work, reads=reads, last=True)
        except _ReplicaError:
            with made_from_now_on():
                return await _transact(engine, work, reads=reads, last=True)


class _LostError(Exception):
    """The connection can't be used any more, and nothing was committed."""


class _ReplicaError(Exception):
    """The server takes no writes."""


async def _transact(
    engine: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[T]], *, reads: bool, last: bool = False
) -> T:
    async with connected(engine) as connection:
        try:
            done = await work(connection)
        except DBAPIError as error:
            if leads_to_replica(error) and not last:
                raise _ReplicaError from error
            if last or not error.connection_invalidated:
                raise
            raise _LostError from error
        with suppress(*([DBAPIError] if reads else [])):
            await connection.commit()
        return done
