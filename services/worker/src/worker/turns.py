"""The turns of the two lanes: interactive texts go before bulk texts, which age."""

from math import exp

AGED = 1.0  # seconds after which a bulk call no longer lets everybody go first
WEIGHT = 3  # seconds that interactive texts get for each second of aged bulk calls
BULK_SHARE = 1 / (1 + WEIGHT)  # of the engine's time: aged bulk calls have at least so much
WINDOW = 3.0  # seconds that "of late" means


class Turns:
    """Decides before each pass of bulk texts who is next. All times are seconds, `now` is the event loop's.

    Until the oldest call of a bulk batch has waited for `AGED`, all interactive texts that wait go first; from then on
    they get `WEIGHT` times as long as the passes of bulk texts take: interactive calls have three quarters of the time.
    What the last interactive batch took too long is taken off the next.

    A bulk call is computed after at most AGED + (1 + WEIGHT) * the time of the bulk batches until its last text, and
    a few batches more. Each of those has `OLDEST` of its tokens, less what the next text doesn't fit in, for it and
    earlier calls: 1,281 of 2,048 tokens at least, for texts of up to 256. Later calls may have the rest.

    It counts seconds, not tokens: a pass of a few tokens takes much longer for each of them. Counted in tokens, bulk
    calls beside 40 requests/s of four tokens got a twentieth of the time.
    """

    def __init__(self) -> None:
        self._left = 0.0  # that interactive texts may take now
        self._took = 0.0  # that they took of late
        self._at = 0.0

    def bulk_is_next(self, since: float, now: float) -> bool:
        """Whether a pass of a bulk batch, whose oldest call has waited `since`, lets nobody go first."""
        return now - since >= AGED and self._left <= 0

    def interactive_took(self, seconds: float, now: float, *, since: float | None = None) -> None:
        """Note a batch of interactive texts, which may have gone before a pass of a bulk batch."""
        self._took, self._at = self._of_late(now) + seconds, now
        if since is not None and now - seconds - since >= AGED:
            self._left -= seconds

    def bulk_took(self, seconds: float) -> None:
        """Note a pass of bulk texts."""
        self._left = min(0.0, self._left) + WEIGHT * seconds

    def share_of_bulk(self, now: float) -> float:
        """The share of the engine's time that bulk calls can count on: what interactive calls have left of late."""
        return max(BULK_SHARE, 1 - self._of_late(now) / WINDOW)

    def _of_late(self, now: float) -> float:
        return self._took * exp((self._at - now) / WINDOW)
