"""The migrate step: `python -m api.migrate` brings the schema to head once, however many instances run.

`python -m api.migrate 0001` goes to a revision by its name, forward or back.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import NullPool

from api.postgres import create_engine
from api.postgres_connection import Connector
from api.postgres_errors import sqlstate
from api.revision import HEAD_REVISION
from api.settings import ApiSettings
from warmstart.lifecycle.health import reason
from warmstart.vault.load import load

LOCK = 0x77617266  # an arbitrary number that all releases share
PAUSE = 0.5  # seconds between attempts to connect
REFUSED = {"28000", "28P01"}  # wrong user or password: waiting doesn't help


def configuration() -> Config:
    """Alembic's configuration, with the revisions of this package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _check(revision: str) -> None:
    """Raise CommandError unless there is a revision of this name: Alembic would take `base`, and drop everything."""
    known = sorted(each.revision for each in ScriptDirectory.from_config(configuration()).walk_revisions())
    if revision not in known:
        raise CommandError(f"there is no revision {revision!r} in this version, only {', '.join(known)}")


def _move(connection: Connection, revision: str) -> None:
    config = configuration()
    config.attributes["connection"] = connection
    current = MigrationContext.configure(connection).get_current_revision() or ""
    if current <= revision:  # their names are numbers of four digits
        command.upgrade(config, revision)
    else:
        _check(current)
        command.downgrade(config, revision)


async def _connect(engine: AsyncEngine, patience: float) -> AsyncConnection:
    """Connect. Raises the last attempt's error after `patience` seconds, or at once when Postgres refuses the user."""
    ends, told = time.monotonic() + patience, ""
    while True:
        try:
            return await engine.connect()
        except (OSError, SQLAlchemyError) as error:
            refused = isinstance(error, DBAPIError) and sqlstate(error) in REFUSED
            if refused or time.monotonic() + PAUSE > ends:
                raise
            why = reason(error)
        if why != told:
            print(f"migrate: waiting for Postgres: {why}", file=sys.stderr, flush=True)  # noqa: T201
            told = why
        await asyncio.sleep(PAUSE)


async def migrate(settings: ApiSettings, revision: str = HEAD_REVISION) -> None:
    """Go to a revision in one transaction under an advisory lock. Raises OSError, SQLAlchemyError or CommandError."""
    _check(revision)
    engine = create_engine(Connector(settings), poolclass=NullPool)
    connection = await _connect(engine, settings.migrate_timeout)
    async with aclosing(connection), connection.begin():
        # Held until the transaction ends, so that a second migration finds the work done.
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        await connection.run_sync(_move, revision)


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 when the schema is where it should be, 1 with one line that says why not."""
    settings, revision = load(ApiSettings), next(iter(arguments), HEAD_REVISION)
    try:
        asyncio.run(migrate(settings, revision))
    except (OSError, SQLAlchemyError, CommandError) as error:
        print(f"migrate failed: {reason(error)}", file=sys.stderr)  # noqa: T201 - its output
        return 1
    print(f"migrate: the schema is at revision {revision}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
