"""Looks at the whole system, once for all who ask within a second: ten open pages cost no more than one."""

import asyncio
import os
import socket
from types import TracebackType
from typing import Self

from fastapi import FastAPI

from api.resources import REPLACEMENT
from api.settings import ApiSettings
from api.system.figures import figures
from api.system.schemas import Part, System
from api.system.workers import Workers, failing
from api.worker_secret import WorkerSecret
from warmstart import Lifecycle
from warmstart.apart import apart
from warmstart.faults import Faults
from warmstart.http.metrics import counted
from warmstart.http.probes import startup_report
from warmstart.lifecycle.readiness import checks, is_ready

FRESH = 1.0  # seconds
# gunicorn's master is the parent of every process of the pod.
INSTANCE = f"{socket.gethostname()}-{os.getppid()}"


class Look:
    """Holds connections to the workers of its own: the api's client has none before the worker was first there."""

    def __init__(self, app: FastAPI, settings: ApiSettings) -> None:
        self._app = app
        self._settings = settings
        self._workers = Workers("worker", settings.worker_url, WorkerSecret(settings))
        self._next = Workers("next", settings.next_worker_url, WorkerSecret(settings))
        self._last: asyncio.Task[bytes] | None = None
        self._fresh_until = 0.0  # the event loop's time

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._last:
            self._last.cancel()
        await self._workers.close()
        await self._next.close()

    async def read(self) -> bytes:
        """The system as JSON, at most `FRESH` seconds old when the look at it began."""
        now = asyncio.get_running_loop().time()
        if self._last is None or (self._last.done() and now >= self._fresh_until):
            self._fresh_until = now + FRESH
            self._last = apart(self._look(), "look at the system")
        return await asyncio.shield(self._last)

    async def turn_workers(self, faults: Faults) -> tuple[dict[str, str], int]:
        """Turn the fault switches of the workers, as `Workers.turn` does."""
        return await self._workers.turn(faults)

    async def _look(self) -> bytes:
        lifecycle: Lifecycle = self._app.state.lifecycle
        replacement = lifecycle.held(REPLACEMENT) if REPLACEMENT.name in lifecycle.supervisors else None
        asked = [self._workers, *([self._next] if replacement and replacement.replacement else [])]
        looks = asyncio.gather(*(each.look() for each in asked))
        text, found = await counted(), await looks
        system = System(
            instance=INSTANCE,
            parts=[self._own(lifecycle), *(part for parts, _ in found for part in parts)],
            unasked=sum(unasked for _, unasked in found),
            figures=figures(text),
            faults=self._settings.faults_enabled,
        )
        return system.model_dump_json().encode()

    def _own(self, lifecycle: Lifecycle) -> Part:
        found = checks(lifecycle)
        return Part(
            kind="api",
            address=f"{self._settings.host}:{self._settings.port}",
            ready=is_ready(found),
            failing=failing([str(each) for each in found]),
            startup=startup_report(lifecycle),
        )
