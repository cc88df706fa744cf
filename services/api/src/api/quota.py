"""Limits the number of texts that one caller may send."""

import asyncio
import logging
import math
import time
from dataclasses import dataclass

from limits import RateLimitItem, parse
from redis.asyncio import Redis

from api.cache import FAILURES
from api.metrics import QUOTA_CALLS
from api.quota_counts import OwnCounts, SharedCounts
from api.quota_window import Window
from warmstart.errors import BadRequest
from warmstart.lifecycle.health import reason

log = logging.getLogger("api.quota")

PAUSE = 1.0  # seconds without a call to a Redis that failed, so that not every request waits for it
QUIET = 60.0  # seconds between two log lines about it, for a Redis that comes and goes


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a call fits, what its caller has left, and after how many seconds more (enough for this call) returns."""

    limit: RateLimitItem
    fits: bool
    remaining: int
    reset: float

    def headers(self) -> list[tuple[bytes, bytes]]:
        """As draft-ietf-httpapi-ratelimit-headers-10 has them; the unit is texts, not requests."""
        policy = f'"texts";q={self.limit.amount};w={self.limit.get_expiry()};qu="texts"'
        standing = f'"texts";r={self.remaining};t={math.ceil(self.reset)}'
        return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", standing.encode())]


class Limit:
    """One limit like `600/minute`, with the counts of each caller that has it."""

    def __init__(self, text: str) -> None:
        self.item = parse(text)
        self.own = OwnCounts(self.item)
        self._shared: SharedCounts | None = None

    def shared(self, redis: Redis) -> SharedCounts:
        """The counts in Redis."""
        if self._shared is None or self._shared.client is not redis:
            self._shared = SharedCounts(self.item, redis)
        return self._shared


class Quota:
    """A limit for each caller: its key's own, or else the default, which is empty for none.

    All processes count together in Redis. While it is away each counts by itself, from zero; a request waits for it
    at most `timeout` seconds, and none fails because of it.
    """

    def __init__(self, default: str, timeout: float) -> None:
        self._default = default
        self._timeout = timeout
        self._limits: dict[str, Limit] = {}
        self._look_again = 0.0
        self._said_away = False
        self._quiet_until = 0.0

    def limit(self, own: str) -> Limit | None:
        """The limit of a caller whose key has its `own` or none, or None."""
        text = own or self._default
        if text and text not in self._limits:
            self._limits[text] = Limit(text)
        return self._limits.get(text)

    async def spend(self, limit: Limit, caller: str, texts: int, redis: Redis | None) -> Standing:
        """Count `texts` of `caller` if they fit, else count nothing.

        Raises BadRequest for a call that would never fit, however long it waits.
        """
        item = limit.item
        if texts > item.amount:
            raise BadRequest(
                f"{texts} texts in one call are more than your quota of {item} ever allows; "
                f"send at most {item.amount} in one call",
                code="over_quota",
            )
        fits, window = await self._count(limit, caller, texts, redis)
        remaining = max(0, item.amount - window.spent)
        reset = window.ends if fits else max(1.0, window.wait(item.amount - texts))
        return Standing(item, fits, remaining, reset)

    async def _count(self, limit: Limit, caller: str, texts: int, redis: Redis | None) -> tuple[bool, Window]:
        if redis and time.monotonic() >= self._look_again:
            try:
                async with asyncio.timeout(self._timeout):
                    fits, window = await limit.shared(redis).hit(caller, texts)
            except FAILURES as error:
                self._look_again = time.monotonic() + PAUSE
                self._lose(reason(error))
            else:
                self._find()
                QUOTA_CALLS["redis", fits].inc()
                return fits, window
        elif redis is None:
            self._lose("/readyz?verbose says why")
        fits, window = limit.own.hit(caller, texts)
        QUOTA_CALLS["process", fits].inc()
        return fits, window

    def _lose(self, why: str) -> None:
        now = time.monotonic()
        if not self._said_away and now >= self._quiet_until:
            log.warning("redis is unavailable (%s): each process counts the quota by itself", why)
            self._said_away = True
            self._quiet_until = now + QUIET

    def _find(self) -> None:
        if self._said_away:
            log.warning("redis is available again: all processes count the quota together")
            self._said_away = False
