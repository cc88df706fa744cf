"""Finds the time when a starting service has reached its steady speed."""

from collections.abc import Iterable, Sequence

from loadtest.openloop import Row
from loadtest.percentiles import percentile

TAIL = 5.0  # seconds at the end of a trial that show the steady state
TOLERANCE = 1.5  # what counts as steady: p50 within it
BUCKET = 50  # requests that make a p50: 2 s at 25 a second. Of 20, the chance of long texts alone makes the median jump


def steady_since(rows: Sequence[Row], first: float, until: float) -> float | None:
    """The scheduled time of the first request that was answered as fast as all later ones; None if none was.

    From it on, every 50 requests in a row are all answered, and their median is at most 1.5 times that of the last 5 s
    before `until`. It is not before `first`, when the first answer came. Times are `time.monotonic()` seconds.
    """
    rows = sorted((row for row in rows if row.scheduled < until), key=lambda row: row.scheduled)
    tail = [row.latency for row in rows if row.scheduled >= until - TAIL and row.ok]
    if len(tail) < BUCKET:
        return None
    limit = TOLERANCE * percentile(tail, 50)
    since = None
    for bucket in _buckets(rows):
        calm = all(row.ok for row in bucket) and percentile([row.latency for row in bucket], 50) <= limit
        if not calm:
            break
        since = next(row.scheduled for row in bucket if row.latency <= limit)
    return None if since is None else max(since, first)


def _buckets(rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
    """Groups of requests, from the last ones back, each shifted by one request."""
    return (rows[end - BUCKET : end] for end in range(len(rows), BUCKET - 1, -1))
