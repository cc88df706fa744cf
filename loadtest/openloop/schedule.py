"""When requests leave. A schedule knows nothing of answers, which makes the load open-loop."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True)
class Constant:
    """`rate` requests a second at even intervals."""

    rate: float

    def offsets(self) -> Iterator[float]:
        """Seconds after the start, without end."""
        return (number / self.rate for number in count())


@dataclass(frozen=True)
class Poisson:
    """`rate` requests a second on average, independent of each other, as those of many users are.

    The gaps are exponentially distributed; the same seed gives the same arrivals.
    """

    rate: float
    seed: int = 0

    def offsets(self) -> Iterator[float]:
        """Seconds after the start, without end."""
        gaps = random.Random(self.seed)  # noqa: S311 - nothing is secret here
        now = 0.0
        while True:
            now += gaps.expovariate(self.rate)
            yield now


Schedule = Constant | Poisson
