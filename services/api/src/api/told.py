"""One log line for a failure that repeats: when its reason changes, and rarely while it stays."""

import logging
import time

PERIOD = 300.0  # seconds


class Told:
    """What was logged last about one thing."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._reason: str | None = None
        self._at = 0.0
        self._untold = 0

    def again(self, reason: str) -> None:
        """It failed: log it if that is due."""
        self._untold += 1
        if reason == self._reason and time.monotonic() < self._at + PERIOD:
            return
        self._log.warning("%s (%d times)", reason, self._untold)
        self._reason, self._at, self._untold = reason, time.monotonic(), 0

    def well(self) -> None:
        """It worked: the next failure is a new one."""
        self._reason, self._untold = None, 0
