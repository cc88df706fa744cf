"""The health sample of Postgres: one connection, kept, that no busy pool and no lost backend gets in the way of."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.migrate import migrate
from api.postgres import Database, check_postgres, open_postgres
from services.api.tests.conftest import Settings
from stack import EmbeddedStack

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
    async with database.engine.connect() as connection:
        return list((await connection.execute(text(OURS))).scalars())


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
