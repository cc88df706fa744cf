"""How many chats are under way, and how they ended."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge

from api.chat import errors
from warmstart.errors import BadRequest, ClientGone, Overloaded, QuotaExceeded, ServiceError

ACTIVE = Gauge(
    "api_chats_active", "Chats under way, from before their search to their last byte", multiprocess_mode="livesum"
)
OF_ITSELF = ("answered", "left", "cut", "refused", "rejected", "search")
OF_THE_SERVER = ("unavailable", "limited", "silent", "broken", "failed")
_CHATS = Counter("api_chats", "Chats by how they ended", ["result"])
CHATS = {result: _CHATS.labels(result) for result in (*OF_ITSELF, *OF_THE_SERVER)}

# The first that fits counts; any other error is one of the search, since the chat server's are all here.
_OF_ERRORS: dict[type[ServiceError], str] = {
    ClientGone: "left",
    errors.ChatUnavailable: "unavailable",
    errors.ChatOverloaded: "unavailable",
    errors.ChatLimited: "limited",
    errors.ChatRefused: "rejected",
    BadRequest: "rejected",
    QuotaExceeded: "rejected",
    errors.ChatSilent: "silent",
    errors.ChatBroken: "broken",
    errors.ChatFailed: "failed",
}


class Turns:
    """At most so many chats of one process at a time: each holds two connections and a prompt."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.under_way = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Count a chat inside the block. Raises Overloaded for one too many."""
        if self.under_way >= self._most:
            CHATS["refused"].inc()
            raise Overloaded(
                f"{self._most} chats are under way, the most of one process (MAX_CHATS)",
                code="too_many_chats",
                retry_after=1,
            )
        self.under_way += 1
        ACTIVE.inc()
        try:
            with _counted():
                yield
        finally:
            self.under_way -= 1
            ACTIVE.dec()


@contextmanager
def _counted() -> Iterator[None]:
    result = "failed"
    try:
        yield
        result = "answered"
    except asyncio.CancelledError:
        result = "cut"
        raise
    except ServiceError as error:
        result = next((name for kind, name in _OF_ERRORS.items() if isinstance(error, kind)), "search")
        raise
    finally:
        CHATS[result].inc()
