"""What is counted of each request, under OpenTelemetry's names for HTTP servers.

No label has a value that a client can make up. Children are looked up once for each combination of labels:
`labels()` takes 1.2 µs, the look-up in a cache 0.1.
"""

from collections import Counter
from functools import cache

from prometheus_client import Gauge, Histogram

METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "WEBSOCKET"},  # the last is ours
)
OTHER_METHOD = "_OTHER"
UNMATCHED = "unmatched"

ACTIVE = Gauge(
    "http_server_active_requests",
    "Requests and WebSockets whose answer has not ended",
    ["http_request_method"],
    multiprocess_mode="livesum",
)
NAME = "http_server_request_duration_seconds"
LABELS = ("http_request_method", "http_route", "http_response_status_code")
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
DURATION = Histogram(
    NAME, "Seconds from a request to the end of its answer, by route template and status", LABELS, buckets=BUCKETS
)


# This process's requests under way, by `known` method. Two writes to the gauge itself would be a quarter of what the
# metrics of a cache hit cost. So it is written when somebody looks, and once a second for scrapes of other processes.
UNDER_WAY: Counter[str] = Counter()


def publish() -> None:
    """Write the gauge."""
    for method, requests in UNDER_WAY.items():
        ACTIVE.labels(method).set(requests)


@cache
def duration(method: str, route: str, status: int) -> Histogram:
    """The durations of requests of a `known` method, by their route's template."""
    return DURATION.labels(method, route, status)


def known(method: str) -> str:
    """The method as a label: a server may let through any word that a client sends."""
    return method if method in METHODS else OTHER_METHOD
