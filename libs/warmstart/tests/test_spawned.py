"""The end of background tasks: they may still use what is open, and none may end unnoticed."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from fastapi import FastAPI

from warmstart import Lifecycle, Resource, ServiceSettings
from warmstart.lifecycle.phase import Phase

Work = Callable[[Lifecycle], Awaitable[None]]


def run(work: Work, *, then: Callable[[Lifecycle, "asyncio.Task[None]"], Awaitable[None]], **options: Any) -> list[str]:
    """Spawn it, do `then`, and end. Returns what happened to its database, and to the task."""
    trace: list[str] = []

    @asynccontextmanager
    async def open_(app: Any) -> AsyncIterator[list[str]]:
        yield trace
        trace.append("closed")

    async def live() -> None:
        database = Resource("database", open_)
        async with Lifecycle(FastAPI(), [database], ServiceSettings(**options)) as life:
            task = life.spawn("work", work)
            await asyncio.sleep(0)
            await then(life, task)

    asyncio.run(live())
    return trace


async def nothing(life: Lifecycle, task: "asyncio.Task[None]") -> None:
    """The lifespan ends while the task works; it has begun."""
    await asyncio.sleep(0)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The error lines."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_task_cleans_up_before_resources_close(caplog: pytest.LogCaptureFixture) -> None:
    """Its `finally` still finds the database open, also when it takes a moment; nothing is said of its end."""

    async def work(life: Lifecycle) -> None:
        database: list[str] = life._app.state.database
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.05)
            database.append("committed")

    assert run(work, then=nothing) == ["committed", "closed"]
    assert errors(caplog) == []


def test_an_error_of_a_clean_up_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With its traceback, and resources close all the same."""

    async def work(life: Lifecycle) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise ConnectionError("commit was refused")

    assert run(work, then=nothing) == ["closed"]
    assert errors(caplog) == ["background task 'work' died: commit was refused"]


def test_a_task_that_goes_on_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    """It can't take more than half of SHUTDOWN_TIMEOUT from the resources, and is named."""

    async def work(life: Lifecycle) -> None:
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(2)
                return

    assert run(work, then=nothing, shutdown_timeout=1) == ["closed"]
    assert errors(caplog) == ["background task 'work': cut, it went on for 0.5 s after it was cancelled"]


def test_a_task_may_end_when_it_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    """A task that takes the cancellation for the end of its loop has not died."""

    async def work(life: Lifecycle) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)

    assert run(work, then=nothing) == ["closed"]
    assert errors(caplog) == []


def test_a_task_that_a_client_cancels_has_died(caplog: pytest.LogCaptureFixture) -> None:
    """A library may cancel the future that a task awaits: nobody asked the task to end, so the process fails."""

    async def work(life: Lifecycle) -> None:
        lost = asyncio.get_running_loop().create_future()
        lost.cancel()
        await lost

    async def failed(life: Lifecycle, task: "asyncio.Task[None]") -> None:
        await asyncio.wait({task})
        async with asyncio.timeout(20):
            while life.phase is not Phase.FAILED:
                await asyncio.sleep(0.01)

    run(work, then=failed)
    assert errors(caplog) == ["background task 'work' died: CancelledError; draining"]


def test_the_owner_may_cancel_a_task(caplog: pytest.LogCaptureFixture) -> None:
    """The process stays ready."""

    async def cancelled(life: Lifecycle, task: "asyncio.Task[None]") -> None:
        task.cancel()
        await asyncio.wait({task})
        await asyncio.sleep(0)
        assert life.phase is Phase.READY

    async def work(life: Lifecycle) -> None:
        await asyncio.sleep(3600)

    run(work, then=cancelled)
    assert errors(caplog) == []


def test_a_task_that_dies_while_the_process_drains_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The process leaves already, so there is nothing else to do."""

    async def work(life: Lifecycle) -> None:
        while life.phase is Phase.READY:
            await asyncio.sleep(0.01)
        raise RuntimeError("poisoned")

    async def drained(life: Lifecycle, task: "asyncio.Task[None]") -> None:
        life._enter(Phase.DRAINING)
        await asyncio.wait({task})

    run(work, then=drained)
    assert errors(caplog) == ["background task 'work' died: poisoned"]
