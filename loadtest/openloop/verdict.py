"""Whether a generator kept to its schedule: if not, its figures are about itself."""

from collections.abc import Iterable
from dataclasses import dataclass

from loadtest.percentiles import percentile

# A request that leaves late still counts from its scheduled time, so lag makes the system look slower than it is.
LATE = 0.05  # seconds; more than two busy cores delay a process that runs for a millisecond
ALLOWED = 0.01  # share of requests that may be late


@dataclass(frozen=True)
class Verdict:
    """`lag_p99` and `lag_max` in seconds; `late` counts requests that left more than 50 ms after their time."""

    valid: bool
    reason: str
    sent: int
    late: int
    lag_p99: float
    lag_max: float


def judge(lags: Iterable[float]) -> Verdict:
    """The verdict on the lags of all requests that left, in seconds."""
    known = sorted(lags)
    late = sum(lag > LATE for lag in known)
    if not known:
        return Verdict(valid=False, reason="no request left", sent=0, late=0, lag_p99=0, lag_max=0)
    valid = late <= ALLOWED * len(known)
    reason = "" if valid else f"the generator fell behind: {late} of {len(known)} requests left over {LATE:g} s late"
    return Verdict(valid, reason, len(known), late, round(percentile(known, 99), 6), round(known[-1], 6))
