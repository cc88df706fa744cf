"""The lifecycle where nobody binds first: TestClient, in this very process."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from stack.waiting import until
from tests.harness.lifespan import lifespan_of
from warmstart import Fatal, Lifecycle, Resource, ServiceSettings, install, opened, opened_or_none
from warmstart.errors import DependencyUnavailable
from warmstart.lifecycle.lifespan import StartFailed

Opener = Callable[[FastAPI], AbstractAsyncContextManager[str]]


def opener(trace: list[str], name: str, error: Exception | None = None) -> Opener:
    """Opens with `name`, or fails with `error`; both leave a trace."""

    @asynccontextmanager
    async def open_(app: FastAPI) -> AsyncIterator[str]:
        if error:
            trace.append(f"fail {name}")
            raise error
        trace.append(f"open {name}")
        yield name
        trace.append(f"close {name}")

    return open_


def application(*resources: Resource[Any], **settings: Any) -> FastAPI:
    """An app with these resources and a route that needs `main` and would like `extra`."""
    chosen = ServiceSettings(**{"startup_timeout": 20, "health_interval": 0.02, "health_timeout": 0.05, **settings})

    app = FastAPI(lifespan=lifespan_of(chosen, resources))
    install(app, chosen)

    @app.get("/use")
    async def use(request: Request) -> list[str | None]:
        wanted = {each.name: each for each in resources}
        return [await opened(wanted["main"])(request), await opened_or_none(wanted["extra"])(request)]

    return app


def test_resources_open_in_order_and_close_in_reverse() -> None:
    """A resource opens after those it names, and all close in the reverse of the order in which they opened."""
    trace: list[str] = []
    app = application(
        Resource("extra", opener(trace, "extra"), after=("main",)), Resource("main", opener(trace, "main"))
    )
    with TestClient(app) as client:
        assert client.get("/use").json() == ["main", "extra"]
    assert trace == ["open main", "open extra", "close extra", "close main"]


def test_resources_open_concurrently() -> None:
    """Two resources that wait for each other's opening both open."""
    events = {"main": asyncio.Event(), "extra": asyncio.Event()}

    def meeting(mine: str, other: str) -> Opener:
        @asynccontextmanager
        async def open_(app: FastAPI) -> AsyncIterator[str]:
            events[mine].set()
            await events[other].wait()
            yield mine

        return open_

    app = application(
        Resource("main", meeting("main", "extra")),
        Resource("extra", meeting("extra", "main")),
    )
    with TestClient(app) as client:
        assert client.get("/readyz").status_code == 200


def test_a_start_that_fails_half_way_closes_what_it_opened() -> None:
    """When a later resource is Fatal, the earlier one is closed and the lifespan raises with name and cause."""
    trace: list[str] = []
    app = application(
        Resource("main", opener(trace, "main")),
        Resource("extra", opener(trace, "extra", Fatal("no such model")), after=("main",)),
    )
    with pytest.raises(StartFailed, match="extra failed: no such model"), TestClient(app):
        pass
    assert trace == ["open main", "fail extra", "close main"]


async def poisoned(_: object = None) -> None:
    """A background task that dies before anything else happens."""
    raise RuntimeError("poisoned")


@pytest.mark.parametrize("rest", ["open at once", "still open"])
def test_a_task_of_a_resource_that_dies_during_the_start_fails_it_once(
    caplog: pytest.LogCaptureFixture, rest: str
) -> None:
    """Whatever else is still opening: one StartFailed, one error line, and the process never gets ready."""
    caplog.set_level(logging.INFO)
    trace: list[str] = []

    @asynccontextmanager
    async def with_a_task(app: FastAPI) -> AsyncIterator[str]:
        async with asyncio.TaskGroup() as group:
            group.create_task(poisoned())
            yield "main"

    @asynccontextmanager
    async def slow(app: FastAPI) -> AsyncIterator[str]:
        await asyncio.sleep(0.1 if rest == "still open" else 0)
        trace.append("open extra")
        yield "extra"
        trace.append("close extra")

    app = application(Resource("main", with_a_task), Resource("extra", slow, after=("main",)))
    with pytest.raises(StartFailed, match="poisoned"), TestClient(app):
        pass
    assert phases(caplog) == ["starting -> warming", "warming -> failed"]
    [error] = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert "poisoned" in error
    assert trace.count("open extra") == trace.count("close extra")
    assert app.state.ready is False


def phases(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The changes of phase that were logged."""
    return [record.getMessage().split(" after ")[0] for record in caplog.records if " -> " in record.getMessage()]


def test_a_start_that_takes_too_long_raises() -> None:
    """Past `STARTUP_TIMEOUT` the lifespan raises, naming what was still missing."""
    app = application(Resource("main", opener([], "main", ConnectionError("refused"))), startup_timeout=0.5)
    with (
        pytest.raises(StartFailed, match=r"not ready within 0.5 s; main retrying: refused \(attempt \d"),
        TestClient(app),
    ):
        pass


def test_a_failing_check_fails_routes_fast_and_heals() -> None:
    """While its check fails, a route that needs the resource gets a typed 503 and one that would like it gets None."""
    down: set[str] = set()

    async def check(value: str) -> None:
        if value in down:
            raise ConnectionError(f"{value} is gone")

    app = application(*(Resource(name, opener([], name), check, required=name == "main") for name in ("main", "extra")))
    with TestClient(app) as client:
        down.add("extra")
        assert answer(client, ["main", None])
        down.add("main")
        assert answer(client, "dependency_unavailable")
        refused = client.get("/use")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["message"] == "main is unavailable: degraded: main is gone"
        down.clear()
        assert answer(client, ["main", "extra"])


def answer(client: TestClient, expected: object) -> bool:
    """Whether `/use` gives the answer, or an error of that code, within 200 tries (each lets the loop run)."""
    for _ in range(200):
        body = client.get("/use").json()
        if (body["error"]["code"] if isinstance(body, dict) else body) == expected:
            return True
        client.portal.call(asyncio.sleep, 0.01)  # type: ignore[union-attr]
    raise AssertionError(body)


def test_background_work_begins_when_all_is_open() -> None:
    """Spawned before or after readiness, in the lifespan or in a resource, it finds every resource open."""
    main, extra = Resource("main", opener([], "main")), Resource("extra", opener([], "extra"), after=("main",))
    found: list[tuple[str, str]] = []

    async def look(life: Lifecycle) -> None:
        found.append((life.value(main), life.value(extra)))

    @asynccontextmanager
    async def spawning(app: FastAPI) -> AsyncIterator[None]:
        app.state.lifecycle.spawn("from a resource", look, may_end=True)
        yield

    app = application(Resource("first", spawning), main, extra)
    with TestClient(app) as client:
        assert answer(client, ["main", "extra"])
        client.portal.start_task_soon(spawn, app, look, True)  # type: ignore[union-attr]
        until(lambda: found == [("main", "extra")] * 2, 20, "both looks")
        assert client.get("/readyz").status_code == 200


async def at_once(_: Lifecycle) -> None:
    """Background work that is over before anything else happens."""


@pytest.mark.parametrize(("work", "why"), [(at_once, "it ended"), (poisoned, "poisoned")])
def test_background_work_that_dies_fails_the_process(
    caplog: pytest.LogCaptureFixture, work: Callable[[Lifecycle], Any], why: str
) -> None:
    """The phase is `failed` and the service unready, but its clients are served."""
    caplog.set_level(logging.INFO)
    app = application(Resource("main", opener([], "main")), Resource("extra", opener([], "extra")))
    with TestClient(app) as client:
        client.portal.start_task_soon(spawn, app, work, False)  # type: ignore[union-attr]
        for _ in range(200):
            if client.get("/readyz").status_code == 503:
                break
        assert client.get("/startupz").json()["phase"] == "failed"
        assert app.state.ready is False
        assert client.get("/use").status_code == 200
    [error] = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert error == f"background task 'work' died: {why}; draining"


async def spawn(app: FastAPI, work: Callable[[Lifecycle], Any], may_end: bool) -> None:
    """Spawn from inside the loop."""
    app.state.lifecycle.spawn("work", work, may_end=may_end)


def test_a_call_is_no_background_work() -> None:
    """`spawn` wants the function: what has been called can't wait for readiness."""
    app = application(Resource("main", opener([], "main")))
    with TestClient(app), pytest.raises(TypeError, match="give the function itself"):
        app.state.lifecycle.spawn("work", at_once(app.state.lifecycle))


def test_values_have_their_resource_s_type_and_health() -> None:
    """`value` refuses what is not open and healthy, `held` gives what was opened."""
    down = asyncio.Event()

    async def check(value: str) -> None:
        if down.is_set():
            raise ConnectionError(f"{value} is gone")

    main = Resource("main", opener([], "main"), check)
    app = application(main)
    with TestClient(app):
        life: Lifecycle = app.state.lifecycle
        assert life.value(main).upper() == "MAIN"
        down.set()
        until(lambda: life.failure("main") is not None, 20, "main to be unhealthy")
        with pytest.raises(DependencyUnavailable, match="main is unavailable: degraded: main is gone"):
            life.value(main)
        assert life.held(main) == "main"
    assert life.held(main) is None


def test_no_signal_handler_off_the_main_thread() -> None:
    """TestClient runs the lifespan in a thread: the process's SIGTERM handler stays as it was."""
    before = signal.getsignal(signal.SIGTERM)
    with TestClient(application(Resource("main", opener([], "main")))):
        assert signal.getsignal(signal.SIGTERM) is before


def test_without_its_lifespan_nothing_is_ready() -> None:
    """An app whose lifespan never ran is alive but not ready, and its routes are gated."""
    client = TestClient(application(Resource("main", opener([], "main"))))
    assert client.get("/livez").status_code == 200
    assert [client.get(path).status_code for path in ("/readyz", "/startupz", "/use")] == [503, 503, 503]


def test_a_missing_optional_resource_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    """However often it is tried, it gets a line when it fails first, and one when the reason changes."""
    why = ["refused"]

    @asynccontextmanager
    async def open_(app: FastAPI) -> AsyncIterator[str]:
        raise ConnectionError(why[0])
        yield

    app = application(Resource("extra", open_, required=False), Resource("main", opener([], "main")))
    with caplog.at_level("INFO", "warmstart.resources"), TestClient(app):
        extra = app.state.lifecycle.supervisors["extra"]

        def tried(more: int) -> None:
            reached = extra.attempts + more
            until(lambda: extra.attempts >= reached, 20, "attempts")

        tried(3)
        why[0] = "no route"
        tried(2)
    lines = [each.split(": ")[1] for each in caplog.messages if each.startswith("opening extra failed")]
    assert lines == ["refused", "no route"]
    assert extra.attempts >= 5
