"""The health sample of Redis writes a value, since a replica, a full and a refusing Redis all answer PING."""

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from api.degraded import READS_ONLY
from api.redis_connection import CONNECTION_IS_STALE, replace_connections
from warmstart.errors import Unavailable
from warmstart.lifecycle.health import reason

KEY = b"warmstart:health"
SECONDS = 60


async def check(client: Redis) -> None:
    """Raise Unavailable, which says "read-only", while Redis serves reads but no writes; else what redis-py raises."""
    try:
        await client.set(KEY, b"1", ex=SECONDS)
    except (*CONNECTION_IS_STALE, ResponseError) as error:
        if isinstance(error, CONNECTION_IS_STALE):
            await replace_connections(client)
        await client.get(KEY)
        raise Unavailable(f"{READS_ONLY}: {words(error)}") from None


def words(error: Exception) -> str:
    """Why Redis refused, in one line, without the arguments that Redis quotes of an unknown command."""
    return reason(error).partition(", with args")[0]
