"""How much of a pool of database connections requests use, and how long they wait for one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.metrics import POOL_SIZE, POOL_USED, POOL_WAITS

NAME = "warmstart_pool"  # the execution option of an engine that has its pool's name; without one it isn't counted


def count(name: str, size: int) -> None:
    """Let the pool's metrics be there from the start."""
    POOL_SIZE.labels(name).set(size)
    POOL_USED.labels(name, "used").set(0)
    POOL_WAITS.labels(name)


@asynccontextmanager
async def connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection of the engine's pool. Raises what `engine.connect()` raises."""
    name = engine.get_execution_options().get(NAME)
    began = perf_counter()
    async with engine.connect() as connection:
        if name is None:
            yield connection
            return
        POOL_WAITS.labels(name).observe(perf_counter() - began)
        with POOL_USED.labels(name, "used").track_inprogress():
            yield connection
