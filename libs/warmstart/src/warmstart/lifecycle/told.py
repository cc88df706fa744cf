"""Limits log lines for a failure that repeats: one line when the reason is new, and rarely another."""

import re
import time
from collections import deque

REMINDER = 600.0  # seconds: with a line an attempt, a day without Redis has 57,000
REMEMBERED = 50  # reasons


class Told:
    """Remembers what was logged about one thing.

    Each reason gets `lines` lines, and one more each `REMINDER` seconds. Reasons that differ only in numbers, such as a
    port, count as one reason.
    """

    def __init__(self, lines: int = 1) -> None:
        self._lines = lines
        self._told: dict[str, deque[float]] = {}

    def is_news(self, reason: str) -> bool:
        """Whether to log this; if so, it counts as logged."""
        kind, now = re.sub(r"0x[0-9a-f]+|\d+", "0", reason), time.monotonic()
        told = self._told.setdefault(kind, deque(maxlen=self._lines))
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
        if len(told) == self._lines and now < told[-1] + REMINDER:
            return False
        told.append(now)
        return True
