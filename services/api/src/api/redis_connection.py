"""Makes every connection to Redis."""

from collections.abc import Callable

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError, AuthorizationError, ClusterDownError, ReadOnlyError
from redis.exceptions import ConnectionError as RedisConnectionError

from api.redis_url import parse

CONNECTIONS = 32
SOCKET_TIMEOUT = 0.25
# The server answers, but its name may lead to another server by now, or its password has changed.
CONNECTION_IS_STALE = (ReadOnlyError, ClusterDownError, AuthenticationError, AuthorizationError)


class Credentials(CredentialProvider):
    """User and password as the URL has them when a connection is made.

    Args:
        url: as it was at start.
        again: the URL as its file has it now, or None.
    """

    def __init__(self, url: str, again: Callable[[], str | None]) -> None:
        self._url = url
        self._again = again

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """The arguments of AUTH. A file that can't be read, or is half written, changes nothing."""
        try:
            options = parse(self._again() or self._url)
        except ValueError:
            options = parse(self._url)
        password = options.get("password", "")
        return (options["username"], password) if options.get("username") else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """The same. The file is so small that reading it blocks nothing."""
        return self.get_credentials()


def connect(url: str, again: Callable[[], str | None] = lambda: None) -> Redis:
    """A client that survives a restart of Redis, and gives up soon on a hung one. Options of the URL take precedence.

    A pool has no retries by itself, and a plain pool raises at once when it is exhausted. Time-outs are not retried: a
    hung server would take each of them.
    """
    options = parse(url)
    if {options.pop("username", None), options.pop("password", None)} != {None}:
        options["credential_provider"] = Credentials(url, again)
    ours = {
        "max_connections": CONNECTIONS,
        "timeout": SOCKET_TIMEOUT,
        "socket_connect_timeout": SOCKET_TIMEOUT,
        "socket_timeout": SOCKET_TIMEOUT,
        "retry": Retry(ExponentialWithJitterBackoff(cap=0.1, base=0.01), 2, (RedisConnectionError,)),
    }
    return Redis.from_pool(BlockingConnectionPool(**{**ours, **options}))


async def replace_connections(client: Redis) -> None:
    """Replace all connections: the idle ones now, those in use when they return to the pool."""
    await client.connection_pool.update_active_connections_for_reconnect()  # type: ignore[no-untyped-call]
    await client.connection_pool.disconnect(inuse_connections=False)
