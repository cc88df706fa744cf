"""Percentiles of raw values."""

import math
from collections.abc import Collection

QUOTED = (50, 95, 99)


def percentile(values: Collection[float], share: float) -> float:
    """The smallest value that at least `share` per cent of all don't exceed (the nearest-rank method).

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)]


def summary(values: Collection[float]) -> dict[str, float]:
    """`p50`, `p95`, `p99`, `min` and `max`; empty without values."""
    if not values:
        return {}
    quoted = {f"p{share}": percentile(values, share) for share in QUOTED}
    return {"min": min(values), **quoted, "max": max(values)}
