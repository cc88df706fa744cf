"""Dead connections of the pool are replaced together, and live ones used again, whatever the wall clock says."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api import postgres_ages
from api.postgres import create_engine, transact
from api.postgres_connection import Connector
from services.api.tests.conftest import Settings
from services.api.tests.helpers.databases import sql
from stack import EmbeddedStack
from warmstart.errors import DependencyUnavailable

pytestmark = pytest.mark.anyio
HOUR = 3600
NAME = "drill_of_ages"


@pytest.fixture
async def engine(settings: Settings, stack: EmbeddedStack) -> AsyncIterator[AsyncEngine]:
    """An engine whose connections the test knows by their name, five of them in the pool."""
    made = create_engine(Connector(settings(database_url=f"{stack.url('postgres')}?application_name={NAME}")))
    async with AsyncExitStack() as open_together:
        for _ in range(5):
            _ = await open_together.enter_async_context(made.connect())
    yield made
    await made.dispose()


def move_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Set the wall clock, as everybody who asks `time.time()` sees it."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + seconds)


async def end_all(stack: EmbeddedStack) -> None:
    """Have the server end the connections of the pool, and be gone when this returns."""
    ended = f"SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = '{NAME}'"
    assert await asyncio.to_thread(sql, stack.url("postgres"), ended) == 5


async def backend(connection: AsyncConnection) -> int:
    """The server's process for this connection."""
    return int((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())


async def test_after_the_clock_went_back_no_request_meets_two_dead_connections(
    engine: AsyncEngine, stack: EmbeddedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first failure tells of all five; a request that found another dead one on its second try would fail."""
    move_clock(monkeypatch, -HOUR)
    await end_all(stack)
    for _ in range(5):
        assert await transact(engine, backend)


async def test_after_a_failure_and_the_clock_back_connections_are_kept(
    engine: AsyncEngine, stack: EmbeddedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be younger than the failure only when the clock had reached its time again."""
    await end_all(stack)
    assert await transact(engine, backend)
    move_clock(monkeypatch, -HOUR)
    pids = [await transact(engine, backend) for _ in range(20)]
    assert len(set(pids)) <= 5


async def test_a_connection_has_a_lifetime(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """After it a new one takes its place, which leads to where the name leads by then."""
    engine, pids = create_engine(Connector(settings())), list[int]()
    for hours in (0, 0, 1, 1, 2):
        monkeypatch.setattr(postgres_ages, "monotonic", lambda then=hours * HOUR: time.monotonic() + then)
        pids.append(await transact(engine, backend))
    assert [pids.index(each) for each in pids] == [0, 0, 2, 2, 4]
    await engine.dispose()


async def test_a_write_that_a_new_connection_refuses_too_costs_one_connection(engine: AsyncEngine) -> None:
    """While Postgres is read-only, its pool is left to those who read."""

    async def refused(connection: AsyncConnection) -> None:
        await connection.execute(text("SET TRANSACTION READ ONLY"))
        await connection.execute(text("CREATE TABLE never_made (id int)"))

    before = {await transact(engine, backend) for _ in range(5)}
    with pytest.raises(DependencyUnavailable):
        await transact(engine, refused)
    after = {await transact(engine, backend) for _ in range(5)}
    assert len(before) == len(after) == 5
    assert len(before & after) == 4


async def test_what_a_new_connection_could_do_ends_the_old_ones(engine: AsyncEngine) -> None:
    """They may all lead to a server that takes no writes."""
    before = {await transact(engine, backend) for _ in range(5)}

    async def write(connection: AsyncConnection) -> None:
        if await backend(connection) in before:
            await connection.execute(text("SET TRANSACTION READ ONLY"))
        await connection.execute(text("CREATE TABLE IF NOT EXISTS drill_of_ages ()"))
        await connection.execute(text("DROP TABLE drill_of_ages"))

    await transact(engine, write)
    assert not before & {await transact(engine, backend) for _ in range(5)}


async def test_a_connection_that_dies_before_its_commit_costs_no_reading(
    engine: AsyncEngine, stack: EmbeddedStack
) -> None:
    """What was read is there; what was written may not be, and nobody knows."""

    async def doomed(connection: AsyncConnection) -> int:
        pid = await backend(connection)
        assert await asyncio.to_thread(sql, stack.url("postgres"), f"SELECT pg_terminate_backend({pid}, 5000)")
        return pid

    assert await transact(engine, doomed, reads=True)
    with pytest.raises(DependencyUnavailable):
        await transact(engine, doomed)
    assert await transact(engine, backend)
