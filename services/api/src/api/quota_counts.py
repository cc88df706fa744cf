"""Counts the quota: in Redis for all processes together, or in this process while Redis is unavailable."""

import time
from collections import OrderedDict
from dataclasses import replace

from limits import RateLimitItem
from limits.aio.storage import RedisStorage
from redis.asyncio import Redis

from api.quota_window import Window
from api.redis_connection import CONNECTION_IS_STALE, replace_connections

CALLERS = 10_000  # remembered by one process


class SharedCounts:
    """Counts in Redis, by the scripts of `limits`: atomic, and by the clock of Redis, not by the replicas' clocks."""

    def __init__(self, limit: RateLimitItem, client: Redis) -> None:
        self.client = client
        self._limit = limit
        self._storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix="warmstart:quota",
            connection_pool=client.connection_pool,  # type: ignore[arg-type] # limits annotates plain values only
        )

    async def hit(self, caller: str, cost: int) -> tuple[bool, Window]:
        """Count `cost` if it fits. Returns whether it did, and the current count. Raises what redis-py raises."""
        key, length = self._limit.key_for(caller), self._limit.get_expiry()
        try:
            fits = await self._storage.acquire_sliding_window_entry(key, self._limit.amount, length, cost)
        except CONNECTION_IS_STALE:
            await replace_connections(self.client)
            raise
        return fits, Window(length, *await self._storage.get_sliding_window(key, length))


class OwnCounts:
    """Counts in this process. A hit costs the same, however many callers there are.

    The memory storages of `limits` don't achieve that: one starts a thread for each hit (85 a second at 1,000 requests
    a second), the asyncio one checks every caller (5.8.0: 20 µs of the event loop a hit with one caller, 3.4 ms with
    10,000).
    """

    def __init__(self, limit: RateLimitItem) -> None:
        self._amount, self._length = limit.amount, limit.get_expiry()
        self._windows: OrderedDict[str, tuple[int, int, int]] = OrderedDict()  # number, count before, own count

    def hit(self, caller: str, cost: int) -> tuple[bool, Window]:
        """Count `cost` if it fits. Returns whether it did, and the current count."""
        number, into = divmod(time.monotonic(), self._length)
        last, previous, current = self._windows.get(caller, (0, 0, 0))
        if last != number:
            previous, current = (current if last == number - 1 else 0), 0
        window = Window(self._length, previous, self._length - into, current, 2 * self._length - into)
        fits = window.spent + cost <= self._amount
        if fits:
            window = replace(window, current=current + cost)
        self._windows[caller] = (int(number), previous, window.current)
        self._windows.move_to_end(caller)
        if len(self._windows) > CALLERS:
            self._windows.popitem(last=False)
        return fits, window
