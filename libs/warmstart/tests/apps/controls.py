"""The sample with one rule broken at a time: what the tests must notice. `gunicorn` runs `controls:<name>()`.

Each function returns the sample application without one protection of docs/lifecycle.md.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sample
from fastapi import Depends, FastAPI

from warmstart import Lifecycle, Resource, ServiceSettings, opened
from warmstart.http import access, gate
from warmstart.lifecycle import background, health, place, supervisor
from warmstart.lifecycle import lifespan as lifecycle
from warmstart.lifecycle.phase import Phase
from warmstart.pod import process
from warmstart.pod.board import Board
from warmstart.pod.connection import lifetime


def hand_sequenced() -> FastAPI:
    """Rules 1, 6: the textbook lifespan. A closer that hangs keeps the others from running."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opened = [resource.open(app) for resource in sample.RESOURCES]
        for each in opened:
            await each.__aenter__()
        app.state.ready = True
        yield
        for each in reversed(opened):
            await each.__aexit__(None, None, None)

    app = sample.create_app()
    app.router.lifespan_context = lifespan
    return app


def unproven() -> FastAPI:
    """Rule 2: a resource counts as open although nothing answered."""

    @asynccontextmanager
    async def open_lazily(app: FastAPI) -> AsyncIterator[object]:
        yield object()

    sample.RESOURCES = (Resource("database", open_lazily), sample.dependency("cache", required=False))
    return sample.create_app()


def misdeclared() -> FastAPI:
    """A resource that comes after an undeclared one, which only the lifespan notices."""
    sample.RESOURCES = (*sample.RESOURCES, Resource("extra", sample.open_model, after=("nowhere",)))
    return sample.create_app()


def two_lifecycles() -> FastAPI:
    """A second lifecycle in one process, as of a part that would run its own."""
    app, settings = sample.create_app(), ServiceSettings()
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with inner(app), Lifecycle(FastAPI(), sample.RESOURCES, settings):
            yield

    app.router.lifespan_context = lifespan
    return app


def all_required() -> FastAPI:
    """Rule 3: an optional dependency is treated as a required one."""
    sample.RESOURCES = (
        *sample.RESOURCES[:1],
        sample.dependency("cache", required=True),
        *sample.RESOURCES[2:],
    )
    return sample.create_app()


def no_gate() -> FastAPI:
    """Rule 4: requests reach a process that is not warm."""
    gate.Gate._passes = lambda self, path: True  # type: ignore[method-assign]
    return sample.create_app()


def no_board() -> FastAPI:
    """Rule 5: each process answers `/readyz` for itself alone."""
    here = place.current()
    assert isinstance(here, process.Process)
    place.join(process.Process(Board(), here.slot))
    return sample.create_app()


def cold_replacement() -> FastAPI:
    """Rule 4: the replacement of a dead process binds before it is warm, although a sibling serves."""
    process.Process.sibling_serves = lambda self: False  # type: ignore[method-assign]
    return sample.create_app()


def silent() -> FastAPI:
    """Rule 6: the warm-up is an unsupervised task; its failure is logged nowhere."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async def warm() -> None:
            async with sample.open_model(app):
                app.state.ready = True
                await asyncio.Event().wait()

        app.state.warming = asyncio.create_task(warm())
        yield

    app = sample.create_app()
    app.router.lifespan_context = lifespan
    return app


def unsupervised() -> FastAPI:
    """Rule 6: a background task may die unnoticed."""
    background.Background._ended = lambda self, task, may_end: None  # type: ignore[method-assign]
    return sample.create_app()


def no_drain() -> FastAPI:
    """Rule 7: SIGTERM closes the listener at once, and clients are not told."""

    async def stop(self: lifecycle.Lifecycle, phase: Phase) -> None:
        self.place.stop()

    lifecycle.Lifecycle._drain = stop  # type: ignore[method-assign]
    return sample.create_app()


def no_successor() -> FastAPI:
    """Rule 7: a process that has served its number of requests leaves before another is ready in its place."""
    process.Process.is_replaced = lambda self, leaving_since: True  # type: ignore[method-assign]
    return sample.create_app()


def no_connection_close() -> FastAPI:
    """Rule 7: pooled clients are not told to leave."""
    access.CLOSE = (b"x-connection", b"close")
    return sample.create_app()


def no_first_request() -> FastAPI:
    """Rule 7: uvicorn closes connections that have not asked yet."""
    del lifetime.Connection.shutdown
    return sample.create_app()


def blocking_load() -> FastAPI:
    """Rule 8: the model is loaded on the event loop."""

    @asynccontextmanager
    async def open_model(app: FastAPI) -> AsyncIterator[object]:
        await asyncio.sleep(0.5)
        time.sleep(float((sample.WORLD / "model").read_text()))
        yield object()

    sample.RESOURCES = (*sample.RESOURCES[:2], Resource("model", open_model))
    return sample.create_app()


def waited_check() -> FastAPI:
    """Rule 9: a health check is waited for instead of abandoned."""

    class Waiting(health.HealthSampler):
        async def sample(self, closing: asyncio.Task[bool]) -> BaseException | None:
            await self._check(self._value)
            return None

    supervisor.HealthSampler = Waiting  # type: ignore[attr-defined]
    return sample.create_app()


def undeclared() -> FastAPI:
    """A route needs a resource that no Lifecycle opens."""
    app = sample.create_app()
    app.get("/mistake", dependencies=[Depends(opened(sample.dependency("typo", required=True)))])(lambda: None)
    return app
