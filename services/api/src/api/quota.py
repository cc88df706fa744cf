"""How many texts one caller may send."""

import time

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from servicekit.errors import BadRequest, QuotaExceeded


class Quota:
    """A limit like `600/minute` (grammar of the `limits` package), counted in this process alone."""

    def __init__(self, text: str) -> None:
        self._limit = parse(text) if text else None
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def spend(self, caller: str, texts: int) -> None:
        """Count `texts` of `caller`. Raises QuotaExceeded, with the seconds until its window moves on."""
        if self._limit is None or self._limiter.hit(self._limit, caller, cost=texts):
            return
        if texts > self._limit.amount:
            raise BadRequest(f"{texts} texts in one call are more than your quota of {self._limit} ever allows")
        reset = self._limiter.get_window_stats(self._limit, caller).reset_time
        raise QuotaExceeded(
            f"{texts} more texts would be over your quota of {self._limit}", retry_after=reset - time.time()
        )
