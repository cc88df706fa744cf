"""How much of a pool of database connections requests use, and how long they wait for one."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from time import perf_counter

from prometheus_client import Gauge, Histogram
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.metrics import POOL_SIZE, POOL_USED, POOL_WAITS

NAME = "warmstart_pool"  # the execution option of an engine that has its pool's name; without one it isn't counted


def count(name: str, size: int) -> None:
    """Let the pool's metrics be there from the start."""
    POOL_SIZE.labels(name).set(size)
    _used(name).set(0)
    _waits(name)


@cache
def _used(name: str) -> Gauge:
    return POOL_USED.labels(name, "used")


@cache
def _waits(name: str) -> Histogram:
    return POOL_WAITS.labels(name)


@asynccontextmanager
async def connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection of the engine's pool. Raises what `engine.connect()` raises."""
    name = engine.get_execution_options().get(NAME)
    if name is None:
        async with engine.connect() as connection:
            yield connection
        return
    async with AsyncExitStack() as held:
        began = perf_counter()
        try:
            connection = await held.enter_async_context(engine.connect())
        finally:  # the longest waits are those in vain
            _waits(name).observe(perf_counter() - began)
        with _used(name).track_inprogress():
            yield connection
