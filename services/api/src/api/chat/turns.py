"""How many chats are under way."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Gauge

from api.chat.errors import TooManyChats

ACTIVE = Gauge(
    "api_chats_active", "Chats under way, from before their search to their last byte", multiprocess_mode="livesum"
)
LIMIT = Gauge("api_chats_limit", "Most chats that may be under way", multiprocess_mode="livesum")


class Turns:
    """At most so many chats of one process at a time: each holds two connections and a prompt."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.under_way = 0
        LIMIT.set(most)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Count a chat inside the block. Raises TooManyChats."""
        if self.under_way >= self._most:
            raise TooManyChats(self._most)
        self.under_way += 1
        ACTIVE.inc()
        try:
            yield
        finally:
            self.under_way -= 1
            ACTIVE.dec()
