"""The recent speed of the engine."""

from time import monotonic

FORGET = 0.9  # the weight that earlier batches keep after one more batch
SLOW = 2  # times the expected seconds: the most that a single batch counts for
STALE = 10.0  # seconds without a full batch, after which the engine is trusted to be as fast as at its start


class Speed:
    """Tokens per second over about the last ten batches; large batches count more.

    It starts with what the warm-up measured. A lower speed than that is forgotten after `STALE` seconds: it refuses
    calls as too large, and where only such calls come, no batch would ever correct it.
    """

    def __init__(self, tokens: float, seconds: float) -> None:
        self._first = tokens, seconds
        self._recent = tokens, seconds
        self._was_slow = False
        self._learned = monotonic()

    def add(self, tokens: int, seconds: float, *, full: bool = True) -> None:
        """Count one batch; a slow batch counts in full only after another slow one.

        Only a `full` batch puts off the moment when a lower speed is forgotten. Small ones that were a little faster
        had kept it alive, and calls that would have fitted were refused for minutes.
        A pause of the machine makes one slow batch. When a batch of 6 s was counted in full, the worker refused calls
        of 25,000 tokens as too large for an idle worker.
        """
        if self._is_stale():
            self._was_slow = False
        most = SLOW * self.seconds_for(tokens)
        counted = seconds if self._was_slow else min(seconds, most)
        earlier_tokens, earlier_seconds = self._trusted()
        self._recent = earlier_tokens * FORGET + tokens, earlier_seconds * FORGET + counted
        self._was_slow = seconds > most
        if full:
            self._learned = monotonic()

    def tokens_in(self, seconds: float) -> float:
        """How many tokens fit into so many seconds."""
        measured, took = self._trusted()
        return seconds * measured / took

    def seconds_for(self, tokens: float) -> float:
        """How long so many tokens take."""
        measured, took = self._trusted()
        return tokens * took / measured

    def _trusted(self) -> tuple[float, float]:
        """Tokens, and the seconds that they took."""
        if not self._is_stale():
            return self._recent
        return max(self._recent, self._first, key=lambda each: each[0] / each[1])

    def _is_stale(self) -> bool:
        return monotonic() - self._learned >= STALE
