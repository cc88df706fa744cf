"""One attempt to open, within its time limit. The next attempt waits for a load that was cut off."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from warmstart.lifecycle.resources import Application, Resource

P = ParamSpec("P")
T = TypeVar("T")

_calls: ContextVar[set["Future[Any]"]] = ContextVar("_calls")  # those of the attempt that runs in this task


class Threads(ThreadPoolExecutor):
    """The loop's default executor, on which `asyncio.to_thread` runs. It knows which attempt made a call."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Submit as the base class does, and note the call."""
        future = super().submit(fn, *args, **kwargs)
        if (calls := _calls.get(None)) is not None:
            calls.add(future)
            future.add_done_callback(calls.discard)
        return future


class Attempts:
    """The attempts to open one resource, in one task."""

    def __init__(self, resource: Resource[Any], app: Application) -> None:
        self._resource = resource
        self._app = app
        self._running: set[Future[Any]] = set()
        _calls.set(self._running)

    async def open(self, stack: AsyncExitStack) -> Any:
        """Return the value. Raises what the opener raises, or TimeoutError with words when the limit is over."""
        opening = self._resource.open(self._app)
        if not isinstance(opening, AbstractAsyncContextManager):
            raise TypeError(f"open gave {opening!r}, which is no async context manager")
        limit = self._resource.timeout
        try:
            async with asyncio.timeout(limit) as cut:
                return await stack.enter_async_context(opening)
        except TimeoutError as error:
            if not cut.expired():
                raise
            raise TimeoutError(f"cut after {limit:g} s, its timeout= in Resource({self._resource.name!r})") from error

    async def ended(self) -> None:
        """Wait for the calls that a cut attempt left running in threads: nothing can interrupt them."""
        while running := self._running.copy():  # the threads change the set itself
            await asyncio.gather(*map(asyncio.wrap_future, running), return_exceptions=True)
