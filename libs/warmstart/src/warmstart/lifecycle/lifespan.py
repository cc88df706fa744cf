"""The life of one process: opens declared resources, becomes ready, drains, closes in reverse order."""

import asyncio
import inspect
import logging
import math
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from fastapi import FastAPI

from warmstart.errors import DependencyUnavailable
from warmstart.faults import SWITCHES
from warmstart.lifecycle import backoff
from warmstart.lifecycle.fatal import Fatal
from warmstart.lifecycle.health import reason
from warmstart.lifecycle.phase import Phase
from warmstart.lifecycle.resources import Resource, ResourceState, validate
from warmstart.lifecycle.supervisor import Supervisor
from warmstart.pod import garbage, process
from warmstart.pod.board import Entry
from warmstart.pod.sigterm import Sigterm
from warmstart.settings.service import ServiceSettings

T = TypeVar("T")

log = logging.getLogger("warmstart.lifecycle")

ABORT_LIMIT = 1.0  # seconds to close resources when the process was never ready
SIBLING_POLL = 0.05  # seconds between looks at the board while a sibling serves


class StartFailed(Exception):
    """The process could not become ready; the message names resource and cause."""


class Lifecycle:
    """Use it as the lifespan's only context manager: `async with Lifecycle(app, resources, settings): yield`.

    Under warmstart's gunicorn worker class it returns at once, so that probes are answered during warm-up, or,
    while a sibling process serves, when this process is ready. Anywhere else it returns when ready, and raises
    StartFailed when that can't be.
    """

    def __init__(self, app: FastAPI, resources: Sequence[Resource[Any]], settings: ServiceSettings) -> None:
        if settings.faults_enabled:
            resources = SWITCHES.over(resources, settings.faults_file)
        validate(resources)
        self.process = process.current()
        self._phase = Phase.STARTING
        self.was_ready = False
        self.settings = settings
        self._app = app
        self._began = time.monotonic()
        self._opened: list[Supervisor] = []
        self._ready = asyncio.Event()
        self._tasks: dict[asyncio.Task[Any], bool] = {}  # and whether each may end
        self._leaving: asyncio.Task[None] | None = None
        self._leaving_since = math.inf
        self.supervisors = {each.name: Supervisor(each, app, settings, self._changed) for each in resources}
        app.state.lifecycle = self
        app.state.ready = False

    @property
    def phase(self) -> Phase:
        """What this process is in; it changes as `phase.FOLLOWING` says, and in no other way."""
        return self._phase

    @property
    def elapsed_seconds(self) -> float:
        """Since this lifecycle was made."""
        return time.monotonic() - self._began

    async def __aenter__(self) -> Self:
        self._sigterm = Sigterm(self._terminate)
        self._enter(Phase.WARMING)
        self._death: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._warmup = asyncio.create_task(self._warm(), name="warm-up")
        self._warmup.add_done_callback(self._ended)
        try:
            if self.process.under_gunicorn and self.settings.warmup != "blocking":
                while self._held_back():  # noqa: ASYNC110 - memory can't wake us
                    await asyncio.sleep(SIBLING_POLL)
            else:
                await self._warmup
        except BaseException:
            await self._close(ABORT_LIMIT)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        failed = self.phase is Phase.FAILED
        await self._close(self.settings.shutdown_timeout)
        if failed and self._sigterm.installed:
            process.leave(process.BACKGROUND_TASK_DIED)

    def _held_back(self) -> bool:
        """Whether this process accepts nothing yet, since siblings serve, or the pod that this one replaces."""
        if self.process.elder_serves():
            return not self.process.board.first_ready
        return self.process.sibling_serves() and not self._warmup.done()

    def failure(self, name: str) -> str | None:
        """Why the resource `name` can't be used now, or None. Raises KeyError for an unknown one."""
        return self.supervisors[name].failure

    def value(self, resource: Resource[T]) -> T:
        """What `resource` opened. Raises DependencyUnavailable while it is not open and healthy."""
        if failure := self.failure(resource.name):
            raise DependencyUnavailable(resource.name, failure)
        opened: T = self.supervisors[resource.name].value
        return opened

    def held(self, resource: Resource[T]) -> T | None:
        """What `resource` opened, however unhealthy it is by now; None while it is not open."""
        supervisor = self.supervisors[resource.name]
        return supervisor.value if supervisor.is_open else None

    def spawn(self, name: str, work: Callable[[Self], Awaitable[None]], *, may_end: bool = False) -> asyncio.Task[None]:
        """Run `work(lifecycle)` from readiness until close; at once, if this process is ready by now.

        If it raises, this process is `failed`, drained and replaced; also if it returns, unless it `may_end`. Whoever
        cancels the task has nothing to fear. Raises TypeError when `work` is no function of the lifecycle.
        """
        if inspect.iscoroutine(work):
            work.close()
            raise TypeError(f"spawn({name!r}): give the function itself, not what a call of it returned")
        inspect.signature(work).bind(self)
        task = asyncio.create_task(self._when_ready(work), name=name)
        self._tasks[task] = may_end
        task.add_done_callback(self._ended)
        return task

    async def _when_ready(self, work: Callable[[Self], Awaitable[None]]) -> None:
        await self._ready.wait()
        await work(self)

    async def _warm(self) -> None:
        """Open everything; a process replaced after the pod's first readiness tries for ever."""
        give_up = not self.process.board.first_ready
        holding = [
            each.start([self.supervisors[name] for name in each.resource.after], give_up=give_up)
            for each in self.supervisors.values()
        ]
        settled = asyncio.create_task(self._all_settled())
        try:
            async with asyncio.timeout(self.settings.startup_timeout if give_up else None):
                awaited: set[asyncio.Future[Any]] = {self._death, settled, *holding}
                await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            await self._fail_start(f"not ready within {self.settings.startup_timeout:g} s")
        finally:
            settled.cancel()
        if self._death.done():
            await self._fail_start(self._death.result())
        for task in holding:
            if task.done():
                error = task.exception()
                why = f"{task.get_name()} died: {reason(error)}" if error and not isinstance(error, Fatal) else ""
                await self._fail_start(why or "start failed")
            task.add_done_callback(self._ended)
        if self.process.under_gunicorn:  # elsewhere the process isn't ours
            garbage.settle()
        self._enter(Phase.READY)
        self._ready.set()

    async def _all_settled(self) -> None:
        for each in self.supervisors.values():
            await each.settled.wait()

    async def _fail_start(self, what: str) -> None:
        """Report once for the whole pod; leave the process, or raise StartFailed where it isn't ours to end."""
        missing = [each for each in self.supervisors.values() if each.resource.required and each.failure]
        why = [f"{each.resource.name} {each.failure} (attempt {each.attempts})" for each in missing]
        message = "; ".join([what, *why])
        self._enter(Phase.FAILED)
        if self.process.board.first_ready or self.process.board.claim_failure():
            log.error(message)
        if self.process.under_gunicorn:
            await self._close(ABORT_LIMIT)
            process.leave(process.PROCESS_FAILED_START)
        raise StartFailed(message)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """A task ended. Before close only the warm-up may do so, and a spawned one that its owner cancelled."""
        owned, may_end = task in self._tasks, self._tasks.pop(task, False)
        if self.phase not in (Phase.WARMING, Phase.READY) or (owned and task.cancelled()):
            return
        if may_end and not task.exception():
            return
        error = None if task.cancelled() else task.exception()
        if task is self._warmup and not task.cancelled() and error is None:
            return
        why = f"background task {task.get_name()!r} died: {reason(error) if error else 'it ended'}"
        if task is not self._warmup or self.phase is Phase.READY:
            self._lost(why, error)
        elif self.process.under_gunicorn:  # elsewhere its error is raised where it is awaited
            self._leaving = asyncio.create_task(self._fail_start(why))

    def _lost(self, why: str, error: BaseException | None = None) -> None:
        """This process can't go on: its start fails, or it drains to be replaced."""
        if self.phase is Phase.READY:
            log.error("%s; draining", why, exc_info=error)
            if self._leaving:  # it waits for a successor
                self._leaving.cancel()
            self._leaving = asyncio.create_task(self._drain(Phase.FAILED))
        elif self.phase is Phase.WARMING and not self._death.done():
            self._death.set_result(why)

    def _terminate(self) -> None:
        """SIGTERM: drain, or leave at once when nobody was ever told that the pod is ready."""
        if self._leaving:
            return
        if self.phase is Phase.READY and self.process.board.first_ready:
            self._leaving = asyncio.create_task(self._hand_over())
        elif self.phase in (Phase.WARMING, Phase.READY):
            self._leaving = asyncio.create_task(self._abort())

    async def _hand_over(self) -> None:
        """Drain, but serve on until others are ready in this process's place, unless the whole pod stops.

        So it is for one that has served its number of requests, at SIGHUP, and when somebody kills one by hand. The
        master is asked again and again: a successor may die before it is ready.
        """
        self._leaving_since = time.monotonic()
        self._publish()
        asked, ask_after = 0, 0.0
        while not self.process.is_replaced(self._leaving_since):
            if self.elapsed_seconds >= ask_after:
                self.process.ask_for_successor()
                asked += 1
                ask_after = self.elapsed_seconds + backoff.pause(asked)
            await asyncio.sleep(SIBLING_POLL)
        await self._drain(Phase.DRAINING)

    async def _drain(self, phase: Phase) -> None:
        """Unready, but serving for `DRAIN_SECONDS`; then the server stops and calls the lifespan's end."""
        self._enter(phase)
        await asyncio.sleep(self.settings.drain_seconds)
        self._sigterm.proceed()

    async def _abort(self) -> None:
        self._enter(Phase.DRAINING)
        await self._close(ABORT_LIMIT)
        process.leave(0)

    async def _close(self, budget: float) -> None:
        """Stop background tasks, then close in reverse order; a slow closer can't take the others' time."""
        if self.phase not in (Phase.FAILED, Phase.STOPPED):
            self._enter(Phase.STOPPED)
        self._sigterm.restore()
        for task in {self._warmup, *self._tasks, *filter(None, [self._leaving])} - {asyncio.current_task()}:
            task.cancel()
        ends = time.monotonic() + budget
        unopened = [each for each in self.supervisors.values() if each not in self._opened]
        for left, each in reversed(list(enumerate([*self._opened, *unopened], start=1))):
            await each.close(max(0.0, ends - time.monotonic()) / left)

    def _changed(self, supervisor: Supervisor) -> None:
        if supervisor.is_open and supervisor not in self._opened:
            self._opened.append(supervisor)
        self._publish()
        if supervisor.resource.gates and supervisor.is_open and supervisor.state is ResourceState.FAILED:
            self._lost(f"{supervisor.resource.name} {supervisor.error}")

    def _enter(self, phase: Phase) -> None:
        before, self._phase = self._phase, self._phase.then(phase)
        log.info("%s -> %s after %.2f s", before, phase, self.elapsed_seconds)
        self.was_ready = self.was_ready or phase is Phase.READY
        self._app.state.ready = phase is Phase.READY
        self._publish()

    def _publish(self) -> None:
        failures = {name: each.failure for name, each in self.supervisors.items() if each.failure}
        self.process.publish(Entry(os.getpid(), self.phase, failures, self._leaving_since))
