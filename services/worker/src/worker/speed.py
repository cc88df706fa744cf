"""How fast the engine has been lately."""

FORGET = 0.9  # what one batch leaves of the weight of those before it
SLOW = 2  # times the expected seconds: what a single batch counts for at most


class Speed:
    """Tokens per second over about the last ten batches, large ones counting more."""

    def __init__(self, tokens: float, seconds: float) -> None:
        self._tokens = tokens
        self._seconds = seconds
        self._was_slow = False

    def add(self, tokens: int, seconds: float) -> None:
        """Count one batch: a slow one in full only after another slow one.

        A machine that pauses once makes one slow batch. One of 6 s, counted in full, had calls of 25,000 tokens refused
        as too large for an idle worker, and with nothing but such calls no batch would have corrected that.
        """
        most = SLOW * self.seconds_for(tokens)
        counted = seconds if self._was_slow else min(seconds, most)
        self._was_slow = seconds > most
        self._tokens = self._tokens * FORGET + tokens
        self._seconds = self._seconds * FORGET + counted

    def tokens_in(self, seconds: float) -> float:
        """How many tokens fit into so many seconds."""
        return seconds * self._tokens / self._seconds

    def seconds_for(self, tokens: int) -> float:
        """How long so many tokens take."""
        return tokens * self._seconds / self._tokens
