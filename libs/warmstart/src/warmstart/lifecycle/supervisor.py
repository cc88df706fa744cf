"""One resource of this process: opened, retried, sampled and closed in a task of its own.

A context manager must be entered and left in the same task (cancel scopes), hence one task a resource.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any

from fastapi import FastAPI

from warmstart.lifecycle import backoff
from warmstart.lifecycle.fatal import Fatal
from warmstart.lifecycle.health import HealthSampler, Verdict, reason
from warmstart.lifecycle.resources import Resource, ResourceState
from warmstart.settings.service import ServiceSettings

log = logging.getLogger("warmstart.resources")

CUT_GRACE = 0.1  # seconds in which a cancelled closer may end
SPOKEN = 5  # attempts of a required resource that get a line each; of an optional one, the first alone
REMINDER = 600.0  # seconds between two lines of one reason: with a line an attempt a day without Redis has 57,000


class Supervisor:
    """Holds one resource open from start to stop. `changed` is called whenever its state or health changes."""

    def __init__(
        self,
        resource: Resource[Any],
        app: FastAPI,
        settings: ServiceSettings,
        changed: Callable[["Supervisor"], None],
    ) -> None:
        self.resource = resource
        self.state = ResourceState.PENDING
        self.attempts = 0
        self.error: str | None = None
        self.settled = asyncio.Event()
        self.value: Any = None
        self._app = app
        self._settings = settings
        self._changed = changed
        self._began = time.monotonic()
        self._opened_after: float | None = None
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._remind_at = 0.0

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
    def is_open(self) -> bool:
        """Whether there is a value, healthy or not."""
        return self._opened_after is not None and self.state is not ResourceState.CLOSED

    @property
    def detail(self) -> str | None:
        """What the resource says of itself while it is open."""
        if self.resource.describe is None or not self.is_open:
            return None
        return self.resource.describe(self.value)

    def start(self, after: Iterable["Supervisor"], *, give_up: bool) -> asyncio.Task[None]:
        """Begin to open; the task ends at close, or raises Fatal if `give_up` and waiting can't help."""
        self._task = asyncio.create_task(self._hold(list(after), give_up), name=f"resource {self.resource.name}")
        return self._task

    async def close(self, limit: float) -> None:
        """Leave the context manager, cut after `limit` seconds; never raises."""
        self._closing.set()
        if self._task and not self._task.done():
            await self._end(self._task, limit)
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
                log.error("closing %s failed: %s", self.resource.name, reason(error))
            else:
                log.info("closed %s in %.2f s", self.resource.name, time.monotonic() - began)

    async def _hold(self, after: list["Supervisor"], give_up: bool) -> None:
        for other in after:
            await other.settled.wait()
        while True:
            async with AsyncExitStack() as stack:
                try:
                    await self._open(stack)
                except Exception as error:  # noqa: BLE001 - whatever it is, the resource is not open
                    self._missed(error, give_up)
                else:
                    await self._watch()
                    return
            await asyncio.sleep(backoff.pause(self.attempts))

    async def _open(self, stack: AsyncExitStack) -> None:
        self.attempts += 1
        if self.attempts == 1:
            self._set(ResourceState.OPENING)
        async with asyncio.timeout(self.resource.timeout):
            self.value = await stack.enter_async_context(self.resource.open(self._app))
        setattr(self._app.state, self.resource.name, self.value)
        self._opened_after = time.monotonic() - self._began
        log.info("opened %s in %.2f s, attempt %d", self.resource.name, self._opened_after, self.attempts)
        self._set(ResourceState.READY)
        self.settled.set()

    def _missed(self, error: Exception, give_up: bool) -> None:
        why = reason(error)
        if isinstance(error, Fatal) and self.resource.required and give_up:
            self._set(ResourceState.FAILED, why)
            raise error
        self._report(why)
        if self.resource.required:
            self._set(ResourceState.RETRYING, why)
        else:
            self._set(ResourceState.DEGRADED, why)
            self.settled.set()

    def _report(self, why: str) -> None:
        """A line for the first attempts, for a reason that is new, and rarely for one that stays."""
        now = time.monotonic()
        spoken = SPOKEN if self.resource.required else 1
        if self.attempts > spoken and why == self.error and now < self._remind_at:
            return
        self._remind_at = now + REMINDER
        level = logging.WARNING if self.attempts == 1 else logging.INFO
        log.log(level, "opening %s failed, attempt %d: %s", self.resource.name, self.attempts, why)

    async def _watch(self) -> None:
        closing = asyncio.create_task(self._closing.wait())
        if self.resource.check is None:
            await closing
            return
        sampler, verdict = HealthSampler(self.resource.check, self.value, self._settings.health_timeout), Verdict()
        while not closing.done():
            await asyncio.wait({closing}, timeout=self._settings.health_interval)
            why = verdict.add(await sampler.sample(closing))
            if closing.done():
                return
            if why and self.resource.gates and verdict.failing_seconds > self._settings.heal_timeout:
                # Not closed here: what is broken may hang when it is closed, and the process must be replaced.
                self._set(ResourceState.FAILED, f"did not heal within {self._settings.heal_timeout:g} s: {why}")
                await closing
                return
            self._set(ResourceState.DEGRADED if why else ResourceState.READY, why)

    def _set(self, state: ResourceState, error: str | None = None) -> None:
        if (state, error) == (self.state, self.error):
            return
        if {self.state, state} == {ResourceState.READY, ResourceState.DEGRADED}:
            log.warning("%s is %s%s", self.resource.name, state, f": {error}" if error else "")
        self.state, self.error = state, error
        self._changed(self)
