"""The migrate step runs once, however many instances start it and however often; and the api's answers without it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from fastapi import FastAPI
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from api.migrate import LOCK, configuration
from api.migrate import migrate as to_revision
from api.postgres import check_postgres, open_postgres
from api.revision import HEAD_REVISION
from api.settings import ApiSettings
from services.api.tests.conftest import Settings
from stack import EmbeddedStack
from warmstart.errors import Unavailable

PASSWORD = "hunter2hunter2"


def migrate(url: str, **more: str) -> subprocess.Popen[str]:
    """Start the migrate step."""
    return subprocess.Popen(
        [sys.executable, "-m", "api.migrate"],
        env={**os.environ, "DATABASE_URL": url, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
async def empty_database(stack: EmbeddedStack) -> AsyncIterator[str]:
    """The address of a database without any table."""
    name = f"empty_{uuid4().hex}"
    admin = create_async_engine(stack.url("postgres"), isolation_level="AUTOCOMMIT")
    async with admin.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
        yield make_url(stack.url("postgres")).set(database=name).render_as_string(hide_password=False)
        await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    await admin.dispose()


def test_the_code_expects_alembics_head() -> None:
    """A new revision that nobody noted in HEAD_REVISION would keep the api from ever becoming ready."""
    assert ScriptDirectory.from_config(configuration()).get_heads() == [HEAD_REVISION]


@pytest.mark.anyio
async def test_several_at_once_all_succeed(empty_database: str, settings: Settings) -> None:
    """Three steps started together exit 0, a fourth after them too, and the api's opener is content."""
    together = [migrate(empty_database) for _ in range(3)]
    outputs = [each.communicate()[0] for each in together]
    assert [each.returncode for each in together] == [0, 0, 0], outputs
    later = migrate(empty_database)
    output, _ = later.communicate()
    assert (later.returncode, output.strip()) == (0, f"migrate: the schema is at revision {HEAD_REVISION}")
    app = FastAPI()
    app.state.settings = settings(database_url=empty_database)
    async with open_postgres(app) as database:
        await check_postgres(database)


@pytest.mark.anyio
async def test_the_lock_keeps_a_second_one_waiting(empty_database: str) -> None:
    """While the lock is held elsewhere, the step waits for it; once it is free, the step does its work."""
    engine = create_async_engine(empty_database)
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    async with engine.begin() as other, engine.connect() as watching:
        await other.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        step = migrate(empty_database)
        async with asyncio.timeout(20):
            while not await watching.scalar(waiting):
                await asyncio.sleep(0.05)
        assert step.poll() is None
    await engine.dispose()
    output, _ = step.communicate()
    assert step.returncode == 0, output


@pytest.mark.anyio
@pytest.mark.parametrize("revision", [None, "0000"])
async def test_another_schema_is_not_opened(empty_database: str, settings: Settings, revision: str | None) -> None:
    """Without the step, or behind it, the opener says what is there, what it needs, and what to run."""
    app = FastAPI()
    app.state.settings = settings(database_url=empty_database)
    if revision:
        engine = create_async_engine(empty_database)
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE alembic_version (version_num text)"))
            await connection.execute(text(f"INSERT INTO alembic_version VALUES ('{revision}')"))
        await engine.dispose()
    expected = f"database is at revision {revision or 'none'}, expected {HEAD_REVISION}: run the migrate step"
    with pytest.raises(Unavailable, match=expected):
        async with open_postgres(app):
            pass


@pytest.mark.parametrize("revision", ["base", "-1", "head", "0002:0001", "0000", "9999", "000", ""])
def test_only_a_revision_s_name_is_taken(revision: str) -> None:
    """What Alembic would understand otherwise could drop all documents: it is refused before there is a connection."""
    nowhere = ApiSettings(database_url="postgresql+asyncpg://127.0.0.1:1/warmstart")
    with pytest.raises(CommandError, match=f"there is no revision '{revision}' in this version, only 0001, "):
        asyncio.run(to_revision(nowhere, revision))


@pytest.mark.anyio
async def test_the_step_goes_forward_and_back_by_name(empty_database: str, settings: Settings) -> None:
    """Also from nothing, and nowhere when it is there; a schema of a later version stays as it is."""
    own, engine = settings(database_url=empty_database), create_async_engine(empty_database)
    async with engine.connect() as watching:
        for revision in ("0001", "0001", HEAD_REVISION, "0001", HEAD_REVISION, HEAD_REVISION):
            await to_revision(own, revision)
            assert await watching.scalar(text("SELECT version_num FROM alembic_version")) == revision
            await watching.rollback()
        await watching.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await watching.commit()
    await engine.dispose()
    with pytest.raises(CommandError, match="there is no revision '9999' in this version"):
        await to_revision(own, HEAD_REVISION)


def test_an_unreachable_database_is_one_line_and_exit_1() -> None:
    """After its patience the step says why, without a traceback and without the password."""
    url = f"postgresql+asyncpg://warmstart:{PASSWORD}@127.0.0.1:1/warmstart"
    step = migrate(url, MIGRATE_TIMEOUT="1.2")
    output, _ = step.communicate()
    lines = output.splitlines()
    assert step.returncode == 1
    assert lines[0].startswith("migrate: waiting for Postgres")
    assert lines[-1].startswith("migrate failed: ")
    assert len(lines) == 2
    assert PASSWORD not in output


def test_a_wrong_password_is_told_but_not_shown(stack: EmbeddedStack) -> None:
    """At once, since waiting changes nothing; the reason is the server's own; the password stays out of it."""
    url = make_url(stack.url("postgres")).set(password=PASSWORD).render_as_string(hide_password=False)
    step = migrate(url)
    output, _ = step.communicate()
    assert step.returncode == 1
    assert len(output.splitlines()) == 1
    assert "password authentication failed" in output
    assert PASSWORD not in output
