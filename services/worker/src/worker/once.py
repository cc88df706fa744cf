"""A value that is loaded once: before readiness, or with WARMUP=lazy by the first request."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Used on the event loop only. `name` is that of the task that runs `load`."""

    def __init__(self, load: Callable[[], Coroutine[Any, Any, T]], name: str) -> None:
        self.value: T | None = None
        self._load = load
        self._name = name
        self._loading: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """The value. The first call loads it, other calls wait for that load; after a failed load, the next one does.

        Raises what `load` raises.
        """
        if self.value is not None:
            return self.value
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._run(), name=self._name)
        # The load goes on when its caller leaves.
        return await asyncio.shield(self._loading)

    def cancel(self) -> None:
        """Abandon a load in progress."""
        if self._loading:
            self._loading.cancel()

    async def _run(self) -> T:
        self.value = await self._load()
        return self.value
