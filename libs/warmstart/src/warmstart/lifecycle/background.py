"""Background tasks of a process: they begin when it is ready, and none may die unnoticed."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from warmstart.lifecycle.health import reason
from warmstart.lifecycle.mistakes import is_sync

log = logging.getLogger("warmstart.lifecycle")


class Background:
    """The spawned tasks of one process.

    `lost(why, error)` is called for a task that died, or that ended without `may_end` and was not asked to.
    """

    def __init__(self, lost: Callable[[str, BaseException | None], None]) -> None:
        self._lost = lost
        self._ready = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """The process is ready: start the tasks."""
        self._ready.set()

    def spawn(
        self, name: str, work: Callable[..., Awaitable[None]], argument: Any, *, may_end: bool
    ) -> asyncio.Task[None]:
        """Run `work(argument)` from readiness on. Raises TypeError when that is impossible."""
        if inspect.iscoroutine(work):
            work.close()
            raise TypeError(f"spawn({name!r}): give the function itself, not what a call of it returned")
        if is_sync(work):
            raise TypeError(f"spawn({name!r}): {work!r} is not an async function")
        try:
            inspect.signature(work).bind(argument)
        except TypeError as error:
            raise TypeError(f"spawn({name!r}): the function is called with the lifecycle alone: {error}") from None
        task = asyncio.create_task(self._when_ready(work, argument), name=name)
        self.tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, may_end))
        return task

    async def _when_ready(self, work: Callable[..., Awaitable[None]], argument: Any) -> None:
        await self._ready.wait()
        await work(argument)

    async def end(self, limit: float) -> None:
        """Cancel the tasks, and wait for what they still do, at most `limit` seconds."""
        tasks = self.tasks.copy()
        for task in tasks:
            task.cancel()
        if not tasks:
            return
        _, running = await asyncio.wait(tasks, timeout=limit)
        for task in running:
            log.error("background task %r: cut, it went on for %.1f s after it was cancelled", task.get_name(), limit)

    def _ended(self, task: asyncio.Task[None], may_end: bool) -> None:
        self.tasks.discard(task)
        error = _error_of(task)
        asked = bool(task.cancelling())  # by its owner, or at the end; a client may also cancel what the task awaits
        if asked and (error is None or task.cancelled()):
            return
        if error or not may_end:
            self._lost(f"background task {task.get_name()!r} died: {reason(error) if error else 'it ended'}", error)


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    try:
        return task.exception()
    except asyncio.CancelledError as error:
        return error
