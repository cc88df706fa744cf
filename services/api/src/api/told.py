"""One line for what goes wrong again and again: when its reason changes, then rarely."""

import logging
import time

PERIOD = 300.0  # seconds


class Told:
    """What a log was told last."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._reason: str | None = None
        self._at = 0.0
        self._untold = 0

    def again(self, reason: str) -> None:
        """It went wrong."""
        self._untold += 1
        if reason == self._reason and time.monotonic() < self._at + PERIOD:
            return
        self._log.warning("%s (%d times)", reason, self._untold)
        self._reason, self._at, self._untold = reason, time.monotonic(), 0

    def well(self) -> None:
        """It went well: what goes wrong next is new."""
        self._reason, self._untold = None, 0
