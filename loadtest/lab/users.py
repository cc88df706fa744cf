"""Users who come while the service starts: requests at random times, and their outcomes."""

from collections import Counter
from collections.abc import Sequence

from loadtest.lab.measurement import Users
from loadtest.openloop import Plan, Poisson, Row, Stream

RATE = 25.0  # requests a second; one process of the slowest engine serves twice as many
WINDOW = 10.0  # seconds after exec
PATIENCE = 0.5  # seconds; a user who waits longer notices it
TIMEOUT = 15.0  # more than the worker's REQUEST_TIMEOUT, so that it is the service that gives up


def plan(url: str, seed: int) -> Plan:
    """Single texts for the worker, most of one sentence; every user has a connection of their own."""
    streams = (
        Stream("worker_short", url, 2, connections="fresh"),
        Stream("worker_typical", url, 7, connections="fresh"),
        Stream("worker_long", url, 1, connections="fresh"),
    )
    return Plan(Poisson(RATE, seed), streams, timeout=TIMEOUT, seed=seed)


def experience(rows: Sequence[Row], exec_time: float) -> Users:
    """The outcomes for users who came within 10 s after exec."""
    window = [row for row in rows if 0 <= row.scheduled - exec_time < WINDOW]
    good = [row for row in window if row.ok]
    served = sum(row.latency <= PATIENCE for row in good)
    return Users(
        window=WINDOW,
        served=served,
        waited=len(good) - served,
        failed=dict(Counter(row.error or str(row.status) for row in window if not row.ok)),
        latencies=tuple(round(row.latency * 1000, 2) for row in good),
        offsets=tuple(round((row.scheduled - exec_time) * 1000, 1) for row in good),
    )
