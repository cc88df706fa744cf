"""The health sample of Postgres: one connection, kept, that no busy pool and no lost backend gets in the way of."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.migrate import migrate
from api.postgres import Database, check_postgres, open_postgres, transact
from api.settings import ApiSettings
from api.store import documents
from services.api.tests.conftest import Settings
from services.api.tests.helpers.switch import Switch, switch
from stack import EmbeddedStack
from stack.toxic.toxics import Toxic

OURS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'sampled' AND pid <> pg_backend_pid()"


@pytest.fixture
async def database(stack: EmbeddedStack, settings: Settings) -> AsyncIterator[Database]:
    """A pool of a single connection, and the sample."""
    app = FastAPI()
    url = f"{stack.url('postgres')}?application_name=sampled"
    app.state.settings = settings(database_url=url, database_pool_size=1)
    await migrate(app.state.settings)
    async with open_postgres(app) as opened:
        yield opened


async def samplers(database: Database) -> list[int]:
    """The server processes of the sample: all of ours but the pool's one."""

    async def work(connection: AsyncConnection) -> list[int]:
        return list((await connection.execute(text(OURS))).scalars())

    return await transact(database.engine, work)


@pytest.mark.anyio
async def test_the_connection_is_kept(database: Database) -> None:
    """Ten samples use one server process."""
    before = await samplers(database)
    for _ in range(10):
        await check_postgres(database)
    assert len(before) == 1
    assert await samplers(database) == before


@pytest.mark.anyio
async def test_a_busy_pool_is_no_outage(database: Database) -> None:
    """While a request holds the only connection, the sample passes."""
    async with database.engine.begin() as connection:
        await connection.execute(text("LOCK TABLE documents"))
        await check_postgres(database)


@pytest.mark.anyio
async def test_a_lost_connection_is_made_anew(database: Database) -> None:
    """A backend that was ended is no outage while another can be had."""
    [lost] = await samplers(database)
    async with database.engine.connect() as connection:
        await connection.execute(text(f"SELECT pg_terminate_backend({lost}, 5000)"))
    await check_postgres(database)
    [found] = await samplers(database)
    assert found != lost


async def round_trips(name: Switch, settings: ApiSettings) -> int:
    """Of one sample."""
    app = FastAPI()
    app.state.settings = settings
    await migrate(settings)
    async with open_postgres(app) as database:
        await check_postgres(database)  # it prepares the statement
        before = name.questions
        await check_postgres(database)
        return name.questions - before


def test_a_sample_is_one_round_trip(stack: EmbeddedStack, settings: Settings) -> None:
    """A database that is 0.3 s away is not lost: four round trips took longer than a sample may."""
    port = stack.site.ports["postgres"]
    with switch(port) as name:
        url = stack.url("postgres").replace(f":{port}/", f":{name.port}/")
        assert asyncio.run(round_trips(name, settings(database_url=url))) == 1


@pytest.mark.anyio
async def test_connections_that_died_in_silence_leave_the_pool(
    stack: EmbeddedStack, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the sample's connection doesn't answer, the idle ones are ended: a request would wait 5 s for one."""
    monkeypatch.setattr("api.postgres.COMMAND_TIMEOUT", 600.0)
    app = FastAPI()
    app.state.settings = settings(database_url=stack.detour("postgres")["DATABASE_URL"])
    await migrate(app.state.settings)
    async with open_postgres(app) as database:
        await asyncio.gather(*(documents.get(database.engine, "none") for _ in range(5)))
        stack.spoil("postgres", Toxic.parse(["half_open"]))
        with suppress(TimeoutError):
            await asyncio.wait_for(check_postgres(database), 1)
        stack.spoil("postgres", ())
        async with asyncio.timeout(60):  # less than COMMAND_TIMEOUT
            assert await asyncio.gather(*(documents.get(database.engine, "none") for _ in range(5))) == [None] * 5
