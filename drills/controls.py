"""The services with one protection switched off each: what the drills must notice.

A service runs under the worker class of this module, which breaks what DRILL_CONTROL names before the application is
loaded. The stack gives the file to the services (`Stack.share`), so that it can import nothing of the drills.
"""

import asyncio
import math
import os
from collections.abc import Awaitable
from typing import Any

from warmstart.lifecycle import place
from warmstart.lifecycle.phase import Phase
from warmstart.pod import process
from warmstart.pod.worker import Worker


class Controlled(Worker):
    """warmstart's worker class, with one thing broken in each process."""

    def init_process(self) -> None:
        """Break it, then run as always."""
        globals()[os.environ["DRILL_CONTROL"]]()
        super().init_process()


def no_gate() -> None:
    """Requests reach a process that is not warm."""
    from warmstart.http import gate

    gate.Gate._passes = lambda self, path: True  # type: ignore[method-assign]


def nothing_is_fatal() -> None:
    """What waiting can't heal is waited for."""
    from warmstart.lifecycle import fatal

    fatal.HOPELESS = ()


def everything_is_fatal() -> None:
    """A dependency that is missing at first is not waited for."""
    from warmstart.lifecycle import fatal

    fatal.HOPELESS = (Exception,)


def no_leaving() -> None:
    """SIGTERM waits until the process is warm."""
    from warmstart.lifecycle import lifespan as lifecycle

    async def wait(self: lifecycle.Lifecycle) -> None:
        await asyncio.wait({self._warmup})

    lifecycle.Lifecycle._abort = wait  # type: ignore[method-assign]


def no_drain() -> None:
    """SIGTERM ends the process, whatever it is doing."""
    from warmstart.lifecycle import lifespan as lifecycle

    async def leave(self: lifecycle.Lifecycle, phase: Phase) -> None:
        place.leave(0)

    lifecycle.Lifecycle._drain = leave  # type: ignore[method-assign]


def cold_replacement() -> None:
    """A replaced process takes connections before it is warm, although others serve."""
    process.Process.sibling_serves = lambda self: False  # type: ignore[method-assign]


def no_retry() -> None:
    """The api sends a request to the worker once."""
    from api.worker_client import WorkerClient

    async def once(
        self: WorkerClient,
        method: str,
        path: str,
        payload: bytes | None = None,
        ends: float = math.inf,
        *,
        whole: int = 0,
    ) -> Any:
        return await self._send(self._pooled, method, path, payload, ends, whole=whole)

    WorkerClient._ask = once  # type: ignore[method-assign]


def dead_stay_pooled() -> None:
    """The pool hands out connections that were found dead, again and again."""
    from sqlalchemy.pool import base

    base.Pool._invalidate = lambda *arguments, **options: None  # type: ignore[method-assign]
    base._ConnectionRecord.invalidate = lambda *arguments, **options: None  # type: ignore[method-assign]


def cache_required() -> None:
    """A request fails when Redis does."""
    from api import dependencies
    from warmstart.errors import DependencyUnavailable

    embedder_of = dependencies.embedder_of

    def demanding(request: Any) -> Any:
        if failure := request.app.state.lifecycle.failure("redis"):
            raise DependencyUnavailable("redis", failure)
        return embedder_of(request)

    dependencies.embedder_of = demanding


def cache_errors_count() -> None:
    """A call to Redis that fails is no miss, but an error of the request."""
    from api import cache

    cache.FAILURES = ()  # type: ignore[assignment]


def endless_queue() -> None:
    """The worker refuses nobody: what comes waits, however long it may take."""
    from worker.admission import Admission

    Admission.check = lambda *arguments, **options: None  # type: ignore[method-assign]


def no_outcomes() -> None:
    """Passes that fail say nothing about the engine."""
    from worker.health import EngineHealth

    EngineHealth.check = lambda self: None  # type: ignore[method-assign]


def no_disconnect() -> None:
    """The worker goes on for clients that have left."""
    from worker import routes

    async def regardless(request: object, work: Awaitable[Any]) -> Any:
        return await work

    routes.unless_disconnected = regardless  # type: ignore[attr-defined]


def no_lingering() -> None:
    """A connection is closed with its answer, whatever the client still sends."""
    from warmstart.pod.connection.lingering import Lingering

    Lingering.close = lambda self: self._transport.close()  # type: ignore[method-assign]
