"""Resources whose context manager ends before its close, and openers that never come to an end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.harness.lifespan import lifespan_of
from warmstart import Lifecycle, Resource, ServiceSettings, install
from warmstart.errors import DependencyUnavailable
from warmstart.lifecycle.attempt import Attempts
from warmstart.lifecycle.lifespan import StartFailed
from warmstart.lifecycle.phase import Phase

LIMIT = 20.0  # seconds


class Bus:
    """A client with a task of its own, which dies when the test says so. It reopens when the test lets it."""

    def __init__(self, *, quiet: bool) -> None:
        self.dies, self.may_open = asyncio.Event(), asyncio.Event()
        self.may_open.set()
        self._quiet = quiet

    @asynccontextmanager
    async def open(self, app: Any) -> AsyncIterator["Bus"]:
        """With `quiet`, what ends the task is no error of the opener."""
        await self.may_open.wait()
        try:
            async with asyncio.TaskGroup() as group:
                consumer = group.create_task(self._consume())
                yield self
                consumer.cancel()
        except* ConnectionError:
            if not self._quiet:
                raise

    async def _consume(self) -> None:
        await self.dies.wait()
        raise ConnectionError("the bus went away")


async def reached(condition: Callable[[], object]) -> None:
    """Let the loop run until it holds."""
    async with asyncio.timeout(LIMIT):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("quiet", "why"), [(False, "the bus went away"), (True, "its context manager ended by itself")]
)
def test_an_optional_resource_that_ends_is_opened_again(
    caplog: pytest.LogCaptureFixture, quiet: bool, why: str
) -> None:
    """Meanwhile it is degraded, and nobody gets the value that was closed; the process stays ready."""

    async def live() -> None:
        bus, app = Bus(quiet=quiet), FastAPI()
        resource = Resource("bus", bus.open, required=False)
        async with Lifecycle(app, [resource], ServiceSettings()) as life:
            assert life.value(resource) is app.state.bus is bus
            bus.may_open.clear()
            bus.dies.set()
            await reached(lambda: not life.supervisors["bus"].is_open)
            assert life.failure("bus") == f"degraded: {why}"
            assert life.held(resource) is None
            assert not hasattr(app.state, "bus")
            with pytest.raises(DependencyUnavailable):
                life.value(resource)
            bus.dies.clear()
            bus.may_open.set()
            await reached(lambda: life.failure("bus") is None)
            assert life.value(resource) is app.state.bus is bus
            assert life.phase is Phase.READY

    asyncio.run(live())
    assert f"bus ended and is opened again: {why}" in caplog.text


def test_each_end_of_an_optional_resource_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Also the second one, with the same reason."""

    async def live() -> None:
        bus = Bus(quiet=False)
        resource = Resource("bus", bus.open, required=False)
        async with Lifecycle(FastAPI(), [resource], ServiceSettings()) as life:
            for _ in range(2):
                bus.may_open.clear()
                bus.dies.set()
                await reached(lambda: not life.supervisors["bus"].is_open)
                bus.dies.clear()
                bus.may_open.set()
                await reached(lambda: life.failure("bus") is None)

    asyncio.run(live())
    assert caplog.text.count("bus ended and is opened again: the bus went away") == 2


@pytest.mark.parametrize("options", [{}, {"required": False, "gates": True}], ids=str)
@pytest.mark.parametrize("quiet", [False, True])
def test_a_process_that_needs_it_fails(quiet: bool, options: dict[str, bool]) -> None:
    """A required resource that ends, or one that only this process can lose, ends the process, which is replaced."""

    async def check(bus: Bus) -> None:
        pass

    async def live() -> None:
        bus = Bus(quiet=quiet)
        resource = Resource("bus", bus.open, check, **options)  # type: ignore[arg-type] # flags
        async with Lifecycle(FastAPI(), [resource], ServiceSettings()) as life:
            bus.dies.set()
            await reached(lambda: life.phase is Phase.FAILED)
            assert (life.failure("bus") or "").startswith("failed: ")

    asyncio.run(live())


@pytest.mark.parametrize("required", [True, False])
def test_an_opener_that_a_client_cancels_is_tried_again(required: bool) -> None:
    """A library may cancel the future that an opener awaits: nobody asked the opener to end."""
    attempts: list[int] = []

    @asynccontextmanager
    async def open_(app: Any) -> AsyncIterator[int]:
        attempts.append(1)
        connected = asyncio.get_running_loop().create_future()
        if len(attempts) < 3:
            connected.cancel()
        else:
            connected.set_result(None)
        await connected
        yield len(attempts)

    async def live() -> None:
        resource = Resource("cache", open_, required=required)
        async with Lifecycle(FastAPI(), [resource], ServiceSettings()) as life:
            await reached(lambda: life.failure("cache") is None)
            assert life.value(resource) == 3

    asyncio.run(live())


def hanging(may_open: "asyncio.Event") -> Callable[[Any], AbstractAsyncContextManager[str]]:
    """An opener that waits until the test lets it."""

    @asynccontextmanager
    async def open_(app: Any) -> AsyncIterator[str]:
        await may_open.wait()
        yield "open"

    return open_


@pytest.mark.parametrize("replacement", [False, True])
def test_an_optional_resource_that_hangs_holds_up_no_start(caplog: pytest.LogCaptureFixture, replacement: bool) -> None:
    """Past STARTUP_TIMEOUT the process is ready without it; it goes on opening."""

    async def live() -> None:
        may_open = asyncio.Event()
        cache = Resource("cache", hanging(may_open), required=False)
        life = Lifecycle(FastAPI(), [cache], ServiceSettings(startup_timeout=0.1))
        life.place._first_ready = replacement
        async with asyncio.timeout(LIMIT), life:
            assert (life.phase, life.failure("cache")) == (Phase.READY, "opening")
            may_open.set()
            await reached(lambda: life.failure("cache") is None)

    asyncio.run(live())
    assert "cache is opening after 0.1 s: the start goes on without it" in caplog.messages


def test_a_start_that_waits_for_an_optional_resource_names_it() -> None:
    """A required resource that comes after the hanging one can't open in time, and the line names both."""

    async def live() -> None:
        never = asyncio.Event()
        resources = [
            Resource("cache", hanging(never), required=False),
            Resource("model", hanging(never), after=("cache",)),
        ]
        async with Lifecycle(FastAPI(), resources, ServiceSettings(startup_timeout=0.1)):
            pass

    with pytest.raises(StartFailed) as raised:
        asyncio.run(live())
    late = "STARTUP_TIMEOUT: not ready within 0.1 s"
    assert str(raised.value) == f"{late}; cache opening (attempt 1); model pending (attempt 0)"


def test_a_describe_that_raises_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """The probes answer as ever; its traceback is logged once."""

    @asynccontextmanager
    async def open_(app: Any) -> AsyncIterator[dict[str, str]]:
        yield {}

    def describe(value: dict[str, str]) -> str:
        return value["version"]

    settings = ServiceSettings()
    app = FastAPI(lifespan=lifespan_of(settings, [Resource("model", open_, describe=describe)]))
    install(app, settings)
    with TestClient(app) as client:
        for _ in range(2):
            answer = client.get("/startupz")
            assert answer.status_code == 200
            assert answer.json()["resources"][0]["detail"] == "describe failed: KeyError: 'version'"
        assert client.get("/readyz").status_code == 200
    assert [record.levelno for record in caplog.records if record.exc_info] == [logging.WARNING]


class Load(Future[None]):
    """A load whose end comes, in its thread, while the loop looks at the other."""

    other: "Load"

    def add_done_callback(self, fn: Callable[[Future[None]], object]) -> None:
        """Called by the loop, for each load that it waits for."""
        super().add_done_callback(fn)
        if not self.other.done():
            self.other.set_result(None)


def test_loads_may_end_while_they_are_waited_for() -> None:
    """The set of a cut attempt's loads changes in their threads, at any moment."""

    @asynccontextmanager
    async def open_(app: Any) -> AsyncIterator[None]:
        yield

    async def wait() -> None:
        attempts = Attempts(Resource("model", open_), FastAPI())
        first, second = Load(), Load()
        first.other, second.other = second, first
        for each in (first, second):
            attempts._running.add(each)
            Future.add_done_callback(each, attempts._running.discard)
        async with asyncio.timeout(LIMIT):
            await attempts.ended()

    asyncio.run(wait())
