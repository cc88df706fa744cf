"""Stage timings of one answer, as the `Server-Timing` header (W3C Server Timing)."""

import re
from typing import Self

_METRIC = re.compile(r"([\w-]+);dur=([\d.]+)")


class Timings(dict[str, float]):
    """Seconds by stage name."""

    def header(self) -> str:
        """`cache;dur=0.412, queue;dur=1.300`: milliseconds, as the header has them."""
        return ", ".join(f"{stage};dur={seconds * 1000:.3f}" for stage, seconds in self.items())

    @classmethod
    def parse(cls, header: str) -> Self:
        """The durations of a header; metrics without one are left out."""
        return cls({stage: float(value) / 1000 for stage, value in _METRIC.findall(header)})
