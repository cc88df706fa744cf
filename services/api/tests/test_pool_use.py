"""The metrics of the pools of database connections."""

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import TimeoutError as NoneFree
from sqlalchemy.ext.asyncio import create_async_engine

from api import pool_use
from api.metrics import POOL
from stack import EmbeddedStack

NAME = "of this test"
WAITS = "db_client_connection_wait_time_seconds_count"
USED = "db_client_connection_count"


def value(metric: str, **more: str) -> float | None:
    """A sample of this test's pool."""
    return REGISTRY.get_sample_value(metric, {POOL: NAME, **more})


@pytest.mark.anyio
async def test_a_wait_in_vain_is_counted(stack: EmbeddedStack) -> None:
    """A request that gets no connection has waited longest: the histogram has it, and the pool's use doesn't."""
    options = {pool_use.NAME: NAME}
    address = stack.url("postgres")
    engine = create_async_engine(address, pool_size=1, max_overflow=0, pool_timeout=0.05, execution_options=options)
    pool_use.count(NAME, 1)
    async with pool_use.connected(engine):
        with pytest.raises(NoneFree):
            async with pool_use.connected(engine):
                pass
        assert value(WAITS) == 2
        assert value(USED, db_client_connection_state="used") == 1
    assert value(USED, db_client_connection_state="used") == 0
    await engine.dispose()
