"""How fast the engine has been lately."""

FORGET = 0.9  # what one batch leaves of the weight of those before it


class Speed:
    """Tokens per second over about the last ten batches, large ones counting more."""

    def __init__(self, tokens: float, seconds: float) -> None:
        self._tokens = tokens
        self._seconds = seconds

    def add(self, tokens: int, seconds: float) -> None:
        """Count one batch."""
        self._tokens = self._tokens * FORGET + tokens
        self._seconds = self._seconds * FORGET + seconds

    def tokens_in(self, seconds: float) -> float:
        """How many tokens fit into so many seconds."""
        return seconds * self._tokens / self._seconds

    def seconds_for(self, tokens: int) -> float:
        """How long so many tokens take."""
        return tokens * self._seconds / self._tokens
