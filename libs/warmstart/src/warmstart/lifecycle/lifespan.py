"""The life of one process: opens declared resources, becomes ready, drains, closes in reverse order."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from warmstart.errors import DependencyUnavailable
from warmstart.lifecycle import backoff, place
from warmstart.lifecycle.attempt import Threads
from warmstart.lifecycle.background import Background
from warmstart.lifecycle.fatal import needs_traceback
from warmstart.lifecycle.holders import Holders
from warmstart.lifecycle.phase import Phase
from warmstart.lifecycle.place import Entry
from warmstart.lifecycle.plugin import Plugin
from warmstart.lifecycle.resources import Application, Resource, validate
from warmstart.lifecycle.state import State
from warmstart.settings.service import ServiceSettings

T = TypeVar("T")

log = logging.getLogger("warmstart.lifecycle")

ABORT_LIMIT = 1.0  # seconds to close resources when the process was never ready
SIBLING_POLL = 0.05  # seconds between two checks whether other processes still serve


class StartFailed(Exception):
    """The process could not become ready; the message names resource and cause."""


class Lifecycle:
    """Use it as the lifespan's only context manager: `async with Lifecycle(app, resources, settings): yield`.

    Under warmstart's gunicorn worker class it returns at once, so that probes are answered during the warm-up; while a
    sibling process serves, it returns when this process is ready. Under any other server it returns when the process
    is ready, and raises StartFailed when the start fails. Raises TypeError or ValueError for resources that can't work.
    """

    def __init__(
        self,
        app: Application,
        resources: Sequence[Resource[Any]],
        settings: ServiceSettings,
        *,
        plugins: Sequence[Plugin] = (),
    ) -> None:
        for plugin in plugins:
            resources = plugin.over(resources)
        validate(resources)
        self.place = place.current()
        self.settings = settings
        self.plugins = plugins
        self.state = State()
        self._app = app
        self._began = time.monotonic()
        self._holders = Holders(resources, app, settings, self._publish, self._lost)
        self._background = Background(self._lost)
        self._leaving: asyncio.Task[None] | None = None
        self.supervisors = self._holders.supervisors
        app.state.lifecycle = self
        app.state.ready = self.state.ready

    @property
    def phase(self) -> Phase:
        """The phase of this process; it changes only as `phase.FOLLOWING` allows."""
        return self.state.phase

    @property
    def was_ready(self) -> bool:
        """Whether this process has clients, which it serves until it stops."""
        return self.state.was_ready

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since this lifecycle was made."""
        return time.monotonic() - self._began

    def failure(self, name: str) -> str | None:
        """Why the resource `name` can't be used now, or None. Raises LookupError for an undeclared name."""
        if name not in self.supervisors:
            raise LookupError(f"no resource {name!r} was declared, but {', '.join(self.supervisors) or 'none at all'}")
        return self.supervisors[name].failure

    def value(self, resource: Resource[T]) -> T:
        """What `resource` opened. Raises DependencyUnavailable while it is not open and healthy."""
        if failure := self.failure(resource.name):
            raise DependencyUnavailable(resource.name, failure)
        opened: T = self.supervisors[resource.name].value
        return opened

    def held(self, resource: Resource[T]) -> T | None:
        """What `resource` opened, even if it is unhealthy by now; None while it is not open."""
        self.failure(resource.name)
        supervisor = self.supervisors[resource.name]
        return supervisor.value if supervisor.is_open else None

    def spawn(self, name: str, work: Callable[[Self], Awaitable[None]], *, may_end: bool = False) -> asyncio.Task[None]:
        """Run `work(lifecycle)` from readiness until close, or at once if this process is already ready.

        If the task raises, or returns without `may_end`, this process is `failed`, drained and replaced. The caller may
        cancel the task without harm. At close it is cancelled, and resources stay open until it has ended, for half of
        `SHUTDOWN_TIMEOUT` at most. Raises TypeError when `work` is no async function of the lifecycle.
        """
        return self._background.spawn(name, work, self, may_end=may_end)

    async def __aenter__(self) -> Self:
        self.place.watch(self._asked_to_leave)
        self._enter(Phase.WARMING)
        if any(each.resource.timeout for each in self.supervisors.values()):
            asyncio.get_running_loop().set_default_executor(Threads())
        self._death: asyncio.Future[tuple[str, BaseException | None]] = asyncio.get_running_loop().create_future()
        self._warmup = asyncio.create_task(self._warm(), name="warm-up")
        try:
            if self.place.binds_first and self.settings.warmup != "blocking":
                while self.place.must_wait(warm=self._warmup.done()):  # noqa: ASYNC110 - memory can't wake us
                    await asyncio.sleep(SIBLING_POLL)
            else:
                await self._warmup
        except BaseException:
            if self._leaving:
                await self._leaving  # it ends the process
            await self._close(ABORT_LIMIT)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        failed = self.phase is Phase.FAILED
        await self._close(self.settings.shutdown_timeout)
        if failed and self.place.has_server:
            place.leave(place.BACKGROUND_TASK_DIED)

    async def _warm(self) -> None:
        """Open everything, or fail: report once for the whole pod, then end the process, or raise under another server.

        After the pod's first readiness, a replacement tries for ever.
        """
        give_up = not self.place.first_ready
        try:
            await self._open(give_up)
        except Exception as error:
            self._enter(Phase.FAILED)
            if not give_up or self.place.claim_failure():
                # Where the error is raised, its traceback is shown there.
                cause = error.__cause__ if isinstance(error, StartFailed) else error
                traced = self.place.binds_first and cause and needs_traceback(cause)
                log.error("%s", error, exc_info=cause if traced else None)
            if self.place.binds_first:
                await self._close(ABORT_LIMIT)
                place.leave(place.PROCESS_FAILED_START)
            raise
        self.place.warmed()
        self._enter(Phase.READY)
        self._background.begin()

    async def _open(self, give_up: bool) -> None:
        limit = self.settings.startup_timeout
        self._holders.open(give_up=give_up)
        opened = asyncio.create_task(self._holders.settled())
        try:
            if await self._opened_within(opened, limit):
                return
            if give_up and self._holders.waits_for_required():
                late = f"STARTUP_TIMEOUT: not ready within {limit:g} s"
                raise StartFailed("; ".join([late, *self._holders.missing()]))
            self._holders.go_on(limit)
            await self._opened_within(opened, None)
        finally:
            opened.cancel()

    async def _opened_within(self, opened: asyncio.Task[None], limit: float | None) -> bool:
        """Wait until all is open, at most `limit` seconds. Raises StartFailed when the process can't go on."""
        either: set[asyncio.Future[Any]] = {self._death, opened}
        await asyncio.wait(either, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if self._death.done():
            why, error = self._death.result()
            reasons = dict.fromkeys([why, *self._holders.missing()])
            raise StartFailed("; ".join(["start failed", *reasons])) from error
        return opened.done()

    def _lost(self, why: str, error: BaseException | None = None) -> None:
        """This process can't go on: fail its start, or drain it so that it is replaced."""
        if self.state.ready:
            log.error("%s; draining", why, exc_info=error)
            if self._leaving:  # it already waits for a successor
                self._leaving.cancel()
            self._leaving = asyncio.create_task(self._drain(Phase.FAILED))
        elif self.was_ready:  # it leaves already
            log.error("%s", why, exc_info=error)
        elif self.phase is Phase.WARMING and not self._death.done():
            self._death.set_result((why, error))

    def _asked_to_leave(self) -> None:
        """Drain, or leave at once when the pod was never ready and so has no clients."""
        if self.state.leaving:
            return
        if self.state.ready and self.place.first_ready:
            self._become(self.state.wanting_to_leave(time.monotonic()))
            self._leaving = asyncio.create_task(self._hand_over())
        else:
            self._enter(Phase.DRAINING)
            self._leaving = asyncio.create_task(self._abort())

    async def _hand_over(self) -> None:
        """Serve until others are ready in this process's place, then drain; not if the whole pod stops.

        This happens after `max_requests`, at SIGHUP, and when somebody sends SIGTERM to one process. The master is
        asked repeatedly, since a successor may die before it is ready.
        """
        asked, ask_after = 0, 0.0
        while not self.place.is_replaced(self.state.leaving_since):
            if self.elapsed_seconds >= ask_after:
                self.place.ask_for_successor()
                asked += 1
                ask_after = self.elapsed_seconds + backoff.pause(asked)
            await asyncio.sleep(SIBLING_POLL)
        await self._drain(Phase.DRAINING)

    async def _drain(self, phase: Phase) -> None:
        """Become unready, and serve for `DRAIN_SECONDS`; then the server stops and calls the lifespan's end."""
        self._enter(phase)
        if self.place.binds_first:
            await asyncio.sleep(self.settings.drain_seconds)
        self.place.stop()

    async def _abort(self) -> None:
        await self._close(ABORT_LIMIT)
        place.leave(0)

    async def _close(self, budget: float) -> None:
        """Stop background tasks, which may still use what was opened, then close it."""
        ends = time.monotonic() + budget
        if self.phase not in (Phase.FAILED, Phase.STOPPED):
            self._enter(Phase.STOPPED)
        self.place.unwatch()
        for task in {self._warmup, *filter(None, [self._leaving])} - {asyncio.current_task()}:
            task.cancel()
        await self._background.end(budget / 2)
        await self._holders.close(max(0.0, ends - time.monotonic()))

    def _enter(self, phase: Phase) -> None:
        log.info("%s -> %s after %.2f s", self.phase, phase, self.elapsed_seconds)
        self._become(self.state.then(phase))

    def _become(self, state: State) -> None:
        self.state = state
        self._app.state.ready = state.ready
        self._publish()

    def _publish(self) -> None:
        self.place.publish(Entry(os.getpid(), self.phase, self._holders.failures(), self.state.leaving_since))
