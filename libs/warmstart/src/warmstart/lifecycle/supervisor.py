"""One resource of this process: opened, retried, sampled and closed in a task of its own.

A context manager must be entered and left in the same task (cancel scopes), hence one task a resource.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, suppress
from typing import Any

from warmstart.errors import DependencyUnavailable
from warmstart.lifecycle import backoff
from warmstart.lifecycle.attempt import Attempts
from warmstart.lifecycle.fatal import is_hopeless, needs_traceback
from warmstart.lifecycle.health import HealthSampler, Verdict, reason
from warmstart.lifecycle.resources import Application, Resource, ResourceState
from warmstart.lifecycle.told import Told
from warmstart.settings.service import ServiceSettings

log = logging.getLogger("warmstart.resources")

CUT_GRACE = 0.1  # seconds in which a cancelled closer may end
SPOKEN = 5  # log lines for one reason: of a required resource, and of alternating health


class Supervisor:
    """Holds one resource open from start to stop.

    `changed(supervisor)` is called whenever its state or health changes, `lost(supervisor, error)` when the process
    can't go on without it.
    """

    def __init__(
        self,
        resource: Resource[Any],
        app: Application,
        settings: ServiceSettings,
        changed: Callable[["Supervisor"], None],
        lost: Callable[["Supervisor", BaseException | None], None],
    ) -> None:
        self.resource = resource
        self.state = ResourceState.PENDING
        self.attempts = 0
        self.error: str | None = None
        self.settled = asyncio.Event()
        self.value: Any = None
        self._app = app
        self._settings = settings
        self._changed, self._lost = changed, lost
        self._began = time.monotonic()
        self._opened_after: float | None = None
        self.is_open = False  # whether there is a value, healthy or not
        self.waited_seconds = 0.0  # for those that it comes after
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._told, self._ups_and_downs = Told(SPOKEN if resource.required else 1), Told(SPOKEN)
        self._traced: set[type[BaseException]] = set()

    @property
    def elapsed_seconds(self) -> float:
        """From the start of the lifecycle until the resource was open, or until now."""
        return time.monotonic() - self._began if self._opened_after is None else self._opened_after

    @property
    def failure(self) -> str | None:
        """Why the resource can't be used now, or None."""
        if self.state is ResourceState.READY:
            return None
        return f"{self.state}: {self.error}" if self.error else str(self.state)

    @property
    def detail(self) -> str | None:
        """What the resource says of itself while it is open."""
        if self.resource.describe is None or not self.is_open:
            return None
        try:
            return str(self.resource.describe(self.value))
        except Exception as error:  # it must not make /startupz fail
            if traced := self._news(error):
                log.warning("describe of %s failed: %s", self.resource.name, reason(error), exc_info=traced)
            return f"describe failed: {reason(error)}"

    def start(self, after: Iterable["Supervisor"], *, give_up: bool) -> None:
        """Begin to open; with `give_up`, give up when waiting can't help."""
        self._task = asyncio.create_task(self._supervise(list(after), give_up), name=f"resource {self.resource.name}")

    async def close(self, limit: float) -> None:
        """Leave the context manager, cut after `limit` seconds; never raises."""
        self._closing.set()
        if self._task and not self._task.done():
            await self._end(self._task, limit)
        self.is_open = False
        self._set(ResourceState.CLOSED)

    async def _end(self, task: asyncio.Task[None], limit: float) -> None:
        began = time.monotonic()
        if not self.is_open:
            task.cancel()
        await asyncio.wait({task}, timeout=limit)
        if not task.done():
            log.error("closing %s: cut after %.1f s", self.resource.name, limit)
            task.cancel()
            await asyncio.wait({task}, timeout=CUT_GRACE)
        elif self.is_open and not task.cancelled():
            if error := task.exception():
                log.error("closing %s failed: %s", self.resource.name, reason(error), exc_info=self._news(error))
            else:
                log.info("closed %s in %.2f s", self.resource.name, time.monotonic() - began)

    async def _supervise(self, after: list["Supervisor"], give_up: bool) -> None:
        """Hold the resource until close; only close may end the task."""
        for other in after:
            await other.settled.wait()
        attempts = Attempts(self.resource, self._app)
        try:
            while await self._hold(attempts, give_up):
                await attempts.ended()
                await asyncio.sleep(backoff.pause(self.attempts))
        except BaseException as error:
            if self._is_to_end():
                raise
            self._set(ResourceState.FAILED, reason(error))
            self._lost(self, error)

    async def _hold(self, attempts: Attempts, give_up: bool) -> bool:
        """Make one attempt to open, and hold what it opened; returns whether to make another."""
        try:
            async with AsyncExitStack() as stack:
                await self._open(attempts, stack)
                await self._watch()
        except (Exception, asyncio.CancelledError) as error:  # a client may cancel by itself what an opener awaits
            if self._is_to_end():
                raise
            return self._tries_again(error, give_up)
        if self._is_to_end():
            return False
        ended = DependencyUnavailable(self.resource.name, "its context manager ended by itself")
        return self._tries_again(ended, give_up)

    def _tries_again(self, error: BaseException, give_up: bool) -> bool:
        """Whether to open once more. Raises `error` when the process can't go on."""
        if self.is_open:
            self._came_to_an_end(error)
        elif self._gave_up(error, give_up):
            return False
        else:
            self._missed(error)
        return True

    async def _open(self, attempts: Attempts, stack: AsyncExitStack) -> None:
        self.attempts += 1
        if self.attempts == 1:
            self.waited_seconds = time.monotonic() - self._began
            self._set(ResourceState.OPENING)
        self.value = await attempts.open(stack)
        setattr(self._app.state, self.resource.name, self.value)
        self._opened_after, self.is_open = time.monotonic() - self._began, True
        log.info("opened %s in %.2f s, attempt %d", self.resource.name, self._opened_after, self.attempts)
        self._set(ResourceState.READY)
        self.settled.set()

    def _came_to_an_end(self, error: BaseException) -> None:
        """It was open. Without a required resource, or one that only this process can lose, the process can't go on."""
        if self.resource.required or self.resource.gates:
            raise error
        self.is_open, self.value = False, None
        with suppress(AttributeError, KeyError):  # the application may have removed it
            delattr(self._app.state, self.resource.name)
        why = reason(error)
        if self._ups_and_downs.is_news(why):
            log.warning("%s ended and is opened again: %s", self.resource.name, why, exc_info=self._news(error))
        self._set(ResourceState.DEGRADED, why)

    def _gave_up(self, error: BaseException, give_up: bool) -> bool:
        """Give up if waiting can't help. The process goes on without an optional resource; else `error` ends it."""
        if not is_hopeless(error) or not give_up:
            return False
        if self.resource.required:
            raise error
        log.error("opening %s failed for good: %s", self.resource.name, reason(error), exc_info=self._news(error))
        self._set(ResourceState.FAILED, reason(error))
        self.settled.set()
        return True

    def _missed(self, error: BaseException) -> None:
        why = reason(error)
        if self._told.is_news(why):
            level = logging.WARNING if self.attempts == 1 else logging.INFO
            told = ("opening %s failed, attempt %d: %s", self.resource.name, self.attempts, why)
            log.log(level, *told, exc_info=self._news(error))
        if self.resource.required:
            self._set(ResourceState.RETRYING, why)
        else:
            self._set(ResourceState.DEGRADED, why)
            self.settled.set()

    def _news(self, error: BaseException) -> BaseException | None:
        """The error whose traceback to log: once for each type, unless its text says it all."""
        if type(error) in self._traced or not needs_traceback(error):
            return None
        self._traced.add(type(error))
        return error

    async def _watch(self) -> None:
        closing = asyncio.create_task(self._closing.wait())
        try:
            if self.resource.check:
                await self._sample(self.resource.check, closing)
            await closing
        finally:
            closing.cancel()
            if not self._closing.is_set():
                self._set(ResourceState.DEGRADED, "its context manager ends")

    async def _sample(self, check: Callable[[Any], Awaitable[None]], closing: asyncio.Task[Any]) -> None:
        """Sample the health until close, or until a gating resource did not heal in time."""
        sampler, verdict = HealthSampler(check, self.value, self._settings.health_timeout), Verdict()
        while not closing.done():
            await asyncio.wait({closing}, timeout=self._settings.health_interval)
            error = verdict.add(await sampler.sample(closing))
            if closing.done():
                return
            if error and self.resource.gates and verdict.failing_seconds > self._settings.heal_timeout:
                # Not closed here: what is broken may hang when it is closed, and the process must be replaced.
                why = f"did not heal within {self._settings.heal_timeout:g} s: {reason(error)}"
                self._set(ResourceState.FAILED, why)
                self._lost(self, error)
                return
            self._sampled(error)

    def _sampled(self, error: BaseException | None) -> None:
        state, why = (ResourceState.DEGRADED, reason(error)) if error else (ResourceState.READY, None)
        if state is not self.state and self._ups_and_downs.is_news(why or ""):
            told = ("%s is %s%s", self.resource.name, state, f": {why}" if why else "")
            log.warning(*told, exc_info=self._news(error) if error else None)
        self._set(state, why)

    def _set(self, state: ResourceState, error: str | None = None) -> None:
        if (state, error) != (self.state, self.error):
            self.state, self.error = state, error
            self._changed(self)

    def _is_to_end(self) -> bool:
        """Whether the resource closes, or somebody cancelled this task; an opener may cancel itself, too."""
        return self._closing.is_set() or bool(self._task and self._task.cancelling())
