"""Opens the cache: a Redis that has taken a value and given it back, and the task that writes to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from api.cache import Cache
from api.redis_connection import connect
from api.redis_health import check
from api.settings import ApiSettings


@asynccontextmanager
async def open_cache(app: FastAPI) -> AsyncIterator[Cache]:
    """Yield the cache. Raises what redis-py raises when there is no answer, Unavailable when it takes no value."""
    settings: ApiSettings = app.state.settings
    url = settings.redis_url.get_secret_value()
    async with connect(url, partial(settings.read_again, "redis_url")) as client:
        cache = Cache(client, ttl=settings.cache_ttl, timeout=settings.cache_timeout)
        await check(client)
        writer = app.state.lifecycle.spawn("cache writer", lambda _: cache.write())
        try:
            yield cache
        finally:
            writer.cancel()
            cache.close()


async def check_cache(cache: Cache) -> None:
    """Raise when Redis can't do what the cache needs."""
    await check(cache.client)
