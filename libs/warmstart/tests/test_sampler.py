"""The health sampler: whatever a check does, the next sample is a fresh one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI

from warmstart import Lifecycle, Resource, ServiceSettings
from warmstart.lifecycle.health import HealthSampler, Verdict
from warmstart.lifecycle.health import reason as reason_of

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
        errors = [await sampler.sample(closing) for _ in range(5)]
        return [reason_of(error) if error else None for error in errors]

    assert asyncio.run(scenario(), debug=False) == [reason, reason, None, reason, None]


def test_a_sample_ends_when_the_resource_closes() -> None:
    """Closing does not wait for the limit of a sample under way."""

    async def scenario() -> BaseException | None:
        closing = asyncio.create_task(asyncio.sleep(0))
        return await asyncio.wait_for(HealthSampler(hang, "value", 3600).sample(closing), 10)

    assert asyncio.run(scenario()) is not None


BAD, GOOD = "no answer within 1 s", None


@pytest.mark.parametrize(
    ("samples", "unhealthy"),
    [
        ([GOOD, BAD, GOOD], [False, False, False]),
        ([BAD, GOOD, BAD, GOOD, BAD], [False] * 5),
        ([BAD, BAD, BAD, GOOD], [False, True, True, False]),
        ([BAD, BAD, GOOD, BAD, BAD], [False, True, False, False, True]),
    ],
)
def test_one_bad_sample_says_little(samples: list[str | None], unhealthy: list[bool]) -> None:
    """Two bad samples in a row make a resource unhealthy, as with a readiness probe; one good one heals it."""
    verdict = Verdict()
    assert [bool(verdict.add(TimeoutError(each) if each else None)) for each in samples] == unhealthy


def test_a_slow_sample_refuses_no_request() -> None:
    """A dependency stays usable after one sample beyond its limit, and not after the second."""
    seen: list[str | None] = []

    async def scenario() -> None:
        app = FastAPI()
        settings = ServiceSettings(health_interval=0.01, health_timeout=LIMIT)
        hangs = iter([False, True, False, True, True, False])
        done = asyncio.Event()

        async def check(value: object) -> None:
            seen.append(lifecycle.failure("database"))
            if (hanging := next(hangs, None)) is None:
                done.set()
            if hanging:
                await hang(value)

        @asynccontextmanager
        async def open_(_: FastAPI) -> AsyncIterator[str]:
            yield "database"

        async with Lifecycle(app, [Resource("database", open_, check=check)], settings) as lifecycle:
            await asyncio.wait_for(done.wait(), 10)

    asyncio.run(scenario())
    bad = "degraded: no answer within 0.05 s"
    assert seen[:7] == [None, None, None, None, None, bad, None]
