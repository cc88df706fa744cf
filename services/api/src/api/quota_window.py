"""A sliding window counter: two windows, of which the earlier one counts by the part that is still in range.

The algorithm is that of the `limits` package (`SlidingWindowCounterRateLimiter`), which counts the same way in Redis.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """What one caller has spent. Times are seconds: until the earlier window stops to count, and the current one."""

    length: float
    previous: int
    previous_left: float
    current: int
    current_left: float

    @property
    def spent(self) -> int:
        """The current count."""
        return math.floor(self.previous * self.previous_left / self.length) + self.current

    @property
    def ends(self) -> float:
        """Seconds until the current window becomes the earlier one, whose weight then falls."""
        return max(0.0, self.current_left - self.length) if self.current else self.previous_left

    def wait(self, room: int) -> float:
        """Seconds until the count is at most `room` (0 or more), if nothing else is counted until then."""
        if self.spent <= room:
            return 0.0
        if self.current <= room:
            return max(0.0, self.previous_left - self.length * (room + 1 - self.current) / self.previous)
        return self.ends + max(0.0, self.length * (1 - (room + 1) / self.current))
