"""Pauses between attempts: exponential, capped, jittered (the AWS article of 2015 on backoff: "equal jitter")."""

import random

BASE = 0.1
CAP = 2.0


def pause(attempt: int) -> float:
    """Seconds to wait after failed attempt 1, 2, …; at least half of the step, so that attempts spread out."""
    step = min(CAP, BASE * 2.0 ** min(attempt - 1, 10))
    return step * random.uniform(0.5, 1.0)  # noqa: S311 - jitter is no secret
