"""Opens the cache: a Redis that answered PING, and the task that writes to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from api.cache import Cache
from api.settings import ApiSettings

CONNECTIONS = 32
SOCKET_TIMEOUT = 0.25


def connect(url: str) -> Redis:
    """A client that survives a restart of Redis, and gives up on a hung one soon.

    `from_url` has no retries by itself, and an exhausted plain pool raises at once. Time-outs aren't retried:
    a hung server would cost them several times over.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=SOCKET_TIMEOUT,
        socket_connect_timeout=SOCKET_TIMEOUT,
        socket_timeout=SOCKET_TIMEOUT,
        retry=Retry(ExponentialWithJitterBackoff(cap=0.1, base=0.01), 2, (RedisConnectionError,)),
    )
    return Redis.from_pool(pool)


@asynccontextmanager
async def open_cache(app: FastAPI) -> AsyncIterator[Cache]:
    """Yield the cache after a PING. Raises what redis-py raises when there is no answer."""
    settings: ApiSettings = app.state.settings
    async with connect(settings.redis_url.get_secret_value()) as client:
        cache = Cache(client, ttl=settings.cache_ttl, timeout=settings.cache_timeout)
        await cache.ping()
        writer = app.state.lifecycle.spawn("cache writer", cache.write())
        try:
            yield cache
        finally:
            writer.cancel()


async def ping_cache(cache: Cache) -> None:
    """Raise when Redis does not answer."""
    await cache.ping()
