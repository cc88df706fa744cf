"""Classifies errors of Postgres: is the connection usable, is a second try useful, which answer is due?

The codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from api.degraded import READS_ONLY
from warmstart.errors import DependencyUnavailable
from warmstart.lifecycle.health import reason

READ_ONLY = "25006"
UNDEFINED_TABLE = "42P01"
# The server answers, but on this connection it can't do the work: a transaction that a pooler left behind, a statement
# prepared on another server connection, a plan from before a migration.
CONNECTION_IS_STALE = {"25P02", "26000", "42P05", "0A000"}

# Connection, unsupported (a stale plan), transaction state, statement name, authorization, database, schema,
# rollback (deadlock), resources, limits, state (a lock), operator (shutting down), system, configuration, internal
UNAVAILABLE_CLASSES = {"08", "0A", "25", "26", "28", "3D", "3F", "40", "53", "54", "55", "57", "58", "F0", "XX"}
# The schema is not what this code is written for: permission, column, function, object (a type), table
SCHEMA_STATES = {"42501", "42703", "42883", "42704", UNDEFINED_TABLE}


class StatementError(Exception):
    """Postgres refused a statement. The message leaves out the server's words: they may quote a user's text."""


def sqlstate(error: DBAPIError) -> str:
    """The five characters of the server's error code; empty for an error of the driver."""
    # SQLAlchemy's own error for a stale plan doesn't carry it.
    candidates = (error.orig, error.orig.__cause__ if error.orig else None)
    return next((state for each in candidates if (state := getattr(each, "sqlstate", None))), "")


def end_stale_connections(engine: AsyncEngine) -> None:
    """After an error that a new connection may not have, end this connection and all that are as old.

    They lead to the same server.
    """

    @event.listens_for(engine.sync_engine, "handle_error")
    def note(context: ExceptionContext) -> None:
        error = context.sqlalchemy_exception
        if isinstance(error, DBAPIError) and sqlstate(error) in CONNECTION_IS_STALE:
            context.is_disconnect = True


@contextmanager
def unavailable_as_503() -> Iterator[None]:
    """Turn "Postgres can't serve this now" into a typed 503, anything else into a StatementError."""
    try:
        yield
    except DBAPIError as error:
        if not _is_unavailable(error):
            state = sqlstate(error) or "none"
            raise StatementError(f"{_kind(error)}, SQLSTATE {state}, in {error.statement}") from None
        raise DependencyUnavailable("postgres", explain(error)) from None
    except (OSError, PoolTimeoutError) as error:  # OSError includes TimeoutError
        raise DependencyUnavailable("postgres", reason(error)) from None


def leads_to_replica(error: DBAPIError) -> bool:
    """Whether the server takes no writes on this connection; on a new one it, or another server, may."""
    return sqlstate(error) == READ_ONLY


def explain(error: DBAPIError) -> str:
    """One line for people: the server's or driver's own words, without those of SQLAlchemy."""
    said, state = reason(error.orig or error), sqlstate(error)
    if state == READ_ONLY:
        return f"{READS_ONLY}: {said}"
    if state in SCHEMA_STATES:
        return f"{said}: does it need the migrate step (python -m api.migrate)?"
    return said


def _is_unavailable(error: DBAPIError) -> bool:
    # asyncpg's DataError is an InterfaceError too, but it is about an argument, and quotes it.
    unreachable = isinstance(error, OperationalError | InterfaceError) and _kind(error) != "DataError"
    state = sqlstate(error)
    return (
        unreachable
        or error.connection_invalidated
        or state[:2] in UNAVAILABLE_CLASSES
        or state in SCHEMA_STATES | CONNECTION_IS_STALE | {READ_ONLY}
    )


def _kind(error: DBAPIError) -> str:
    cause = error.orig.__cause__ if error.orig else None
    return type(cause or error.orig or error).__name__
