"""The order of the two lanes: interactive texts go before bulk texts, which age."""

from dataclasses import dataclass

AGED = 1.0  # seconds after which a bulk call no longer lets everybody go first
AHEAD = 3  # interactive tokens that go before each token of an aged bulk call
BULK_SHARE = 1 / (1 + AHEAD)  # of the speed: an aged bulk call has at least so much


@dataclass
class Turn:
    """The turn of one forward pass of bulk texts: `tokens` of it, of a batch whose oldest call has waited `since`.

    Until that call has waited for `AGED` seconds, every interactive text that waits goes first; from then on `AHEAD`
    tokens for each token of the pass. So the texts of a bulk call, with `n` tokens of bulk calls that came before, are
    computed after at most AGED + (1 + AHEAD) * n / speed seconds, and interactive calls always have three quarters of
    the speed.
    """

    tokens: int
    since: float
    gone: int = 0  # interactive tokens that went first

    def room(self, budget: int, now: float) -> int:
        """How many interactive tokens, of a batch of `budget`, may go first now."""
        if now - self.since < AGED:
            return budget
        return min(budget, AHEAD * self.tokens - self.gone)
