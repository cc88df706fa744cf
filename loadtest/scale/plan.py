"""How long a run takes, told before it begins, and how far it has come."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from loadtest.scale import filling
from loadtest.scale.recall import COMPARED
from loadtest.scale.searching import seconds_of

DOCUMENTS_PER_S = 240.0  # two vCPUs of an AMD EPYC (Zen 4), the default engine
COMPARISON = 2.5e-6  # seconds for each document of an exact search
STARTING = 20.0  # seconds until the stack serves, and until it has stopped
GIVEN = 2.0  # times the expected minutes, after which no further document is stored


@dataclass(frozen=True)
class Plan:
    """`sizes` grow. Each is measured in `rounds` of `seconds`, and recall with so many `queries`."""

    sizes: Sequence[int]
    rounds: int = 3
    seconds: float = 3.0
    queries: int = 200
    recall_seconds: float = 60.0  # for each filter

    def expected(self) -> float:
        """Seconds of the whole run."""
        return STARTING + sum(map(self._filling, (0, *self.sizes), self.sizes)) + sum(map(self._measuring, self.sizes))

    def _filling(self, first: int, last: int) -> float:
        slices = max(filling.SLICES, ceil((last - first) / filling.LARGEST))
        return (last - first) / DOCUMENTS_PER_S + slices * (self.seconds + filling.WARM)

    def _measuring(self, size: int) -> float:
        recall = min(self.recall_seconds, self.queries * (size * COMPARISON + 0.03))
        return seconds_of(self.rounds, self.seconds) + len(COMPARED) * recall

    def disk(self) -> float:
        """Bytes that the documents will take: tables, indexes, and the log of changes beside them."""
        return max(self.sizes) * 7e3 + 2e9


class Progress:
    """Prints lines with the time since the start."""

    def __init__(self, plan: Plan) -> None:
        self._began = time.monotonic()
        self.expected = plan.expected()
        self.until_minutes = self.expected * GIVEN / 60 + 1
        self.until = self._began + self.until_minutes * 60

    def say(self, text: str) -> None:
        """One line."""
        took = time.monotonic() - self._began
        print(f"{_clock(took)} of about {_clock(self.expected)}  {text}", flush=True)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
