"""The recent speed of the engine."""

FORGET = 0.9  # the weight that earlier batches keep after one more batch
SLOW = 2  # times the expected seconds: the most that a single batch counts for


class Speed:
    """Tokens per second over about the last ten batches; large batches count more."""

    def __init__(self, tokens: float, seconds: float) -> None:
        self._tokens = tokens
        self._seconds = seconds
        self._was_slow = False

    def add(self, tokens: int, seconds: float) -> None:
        """Count one batch; a slow batch counts in full only after another slow one.

        A pause of the machine makes one slow batch. When a batch of 6 s was counted in full, the worker refused calls
        of 25,000 tokens as too large for an idle worker, and with only such calls no later batch would have corrected
        the speed.
        """
        most = SLOW * self.seconds_for(tokens)
        counted = seconds if self._was_slow else min(seconds, most)
        self._was_slow = seconds > most
        self._tokens = self._tokens * FORGET + tokens
        self._seconds = self._seconds * FORGET + counted

    def tokens_in(self, seconds: float) -> float:
        """How many tokens fit into so many seconds."""
        return seconds * self._tokens / self._seconds

    def seconds_for(self, tokens: float) -> float:
        """How long so many tokens take."""
        return tokens * self._seconds / self._tokens
