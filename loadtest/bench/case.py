"""The cases that each system is measured in, and the numbers of the texts that they send."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """So many clients with so many texts in a request, for `seconds`: longer for cases with fewer answers."""

    name: str
    clients: int
    texts: int
    seconds: float

    @property
    def is_latency(self) -> bool:
        """Whether its figure is the median latency of one client, not the speed of many."""
        return self.clients == self.texts == 1

    @property
    def figure(self) -> str:
        """The name of its figure."""
        return f"{'p50_ms' if self.is_latency else 'texts_per_s'}_{self.name}"

    def compared(self, system: float, limit: float) -> float:
        """What the system's latency has above its limit's, in ms, or its speed as a share of its limit's."""
        return system - limit if self.is_latency else system / limit


C1, C32, B32 = CASES = (Case("c1", 1, 1, 2.5), Case("c32", 32, 1, 4.0), Case("b32", 4, 32, 6.0))
FIRST, TURNS = len(CASES), len(CASES) + 1  # further blocks of texts in a round, after those of the cases
BLOCKS = TURNS + 1
CACHED = 512  # texts that api-hit repeats
