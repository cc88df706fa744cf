"""What ends a request: a limit of its own, or the stop of the process."""

import asyncio

import pytest

from warmstart.http.budget import Budget


@pytest.mark.parametrize(
    ("asked", "limit", "lasts", "by_stop"),
    [
        (None, 10, False, False),
        (None, 60, False, True),
        (1, 60, False, False),
        (None, 10, True, True),
        (1, 10, True, False),
    ],
)
def test_a_stop_is_told_from_a_limit(asked: float | None, limit: float, lasts: bool, by_stop: bool) -> None:
    """The one that comes first counts: a caller may have asked for less than the process waits for."""

    async def ends() -> bool:
        async with asyncio.timeout(None) as timeout:
            budget = Budget(timeout, asked)
            budget.allow(limit)
            if lasts:
                budget.last()
            budget.stop(10, answering=10, lasting=20)
            return budget.ends_by_stop

    assert asyncio.run(ends()) is by_stop
