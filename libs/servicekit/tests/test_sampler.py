"""The health sampler: whatever a check does, the next sample is a fresh one."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from servicekit.health import HealthSampler

LIMIT = 0.05  # seconds


async def hang(value: object) -> None:
    """As a query to a paused database."""
    await asyncio.sleep(3600)


async def hang_even_when_cancelled(value: object) -> None:
    """As asyncpg does while it asks the paused database to cancel."""
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        await asyncio.sleep(3600)


async def cancel_itself(value: object) -> None:
    """As a library does whose own task was cancelled."""
    raise asyncio.CancelledError


async def fail(value: object) -> None:
    """As a dependency that says no."""
    raise ConnectionError("refused\nwith a second line")


async def succeed(value: object) -> None:
    """As a healthy one."""


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        (hang, "no answer within 0.05 s"),
        (hang_even_when_cancelled, "no answer within 0.05 s"),
        (cancel_itself, "the check was cancelled"),
        (fail, "refused"),
    ],
)
def test_a_bad_sample_is_told_and_forgotten(check: Callable[[object], Awaitable[None]], reason: str) -> None:
    """A check that hangs, can't be cancelled, cancels itself or fails gives its reason, and the next one counts."""

    async def scenario() -> list[str | None]:
        checks = iter([check, check, succeed, check, succeed])

        async def each_in_turn(value: object) -> None:
            await next(checks)(value)

        closing = asyncio.create_task(asyncio.Event().wait())
        sampler = HealthSampler(each_in_turn, "value", LIMIT)
        return [await sampler.sample(closing) for _ in range(5)]

    assert asyncio.run(scenario(), debug=False) == [reason, reason, None, reason, None]


def test_a_sample_ends_when_the_resource_closes() -> None:
    """Closing does not wait for the limit of a sample under way."""

    async def scenario() -> str | None:
        closing = asyncio.create_task(asyncio.sleep(0))
        return await asyncio.wait_for(HealthSampler(hang, "value", 3600).sample(closing), 10)

    assert asyncio.run(scenario()) is not None
