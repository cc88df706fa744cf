"""Reads the few samples that a page draws out of Prometheus text."""

import re
import time
from collections import defaultdict
from collections.abc import Iterator

from api.system.schemas import Figures

_SAMPLE = re.compile(rb"^(\w+)(?:\{(.*)\})? (\S+)", re.MULTILINE)
_LABEL = re.compile(rb'(\w+)="((?:[^"\\]|\\.)*)"')

# What pages ask for by themselves is no work of the service.
OWN = re.compile(r"/v1/(?:models|reports|faults|system)(?:/|$)")


def queue(text: bytes) -> dict[str, float]:
    """A worker's waiting tokens, by lane."""
    return {labels["lane"]: value for labels, value in _samples(text, b"worker_queue_tokens")}


def figures(text: bytes) -> Figures:
    """The api's counts."""
    counted = [
        (labels["http_response_status_code"], value)
        for labels, value in _samples(text, b"http_server_request_duration_seconds_count")
        if _is_work(labels)
    ]
    buckets: dict[str, float] = defaultdict(float)
    for labels, value in _samples(text, b"http_server_request_duration_seconds_bucket"):
        if _is_work(labels):
            buckets[labels["le"]] += value
    cache = {labels["result"]: value for labels, value in _samples(text, b"api_cache_lookups_total")}
    limits = sorted(buckets, key=float)
    return Figures(
        clock=time.monotonic(),
        requests=sum(value for _, value in counted),
        errors=sum(value for status, value in counted if status >= "500"),
        in_progress=sum(value for _, value in _samples(text, b"http_server_active_requests")),
        buckets=[(None if each == "+Inf" else float(each), buckets[each]) for each in limits],
        cache_hits=cache.get("hit", 0),
        cache_misses=cache.get("miss", 0) + cache.get("error", 0),
    )


def _is_work(labels: dict[str, str]) -> bool:
    route = labels["http_route"]
    return route.startswith("/v1/") and not (labels["http_request_method"] == "GET" and OWN.match(route))


def _samples(text: bytes, name: bytes) -> Iterator[tuple[dict[str, str], float]]:
    for found in _SAMPLE.finditer(text):
        if found[1] == name:
            labels = {key.decode(): value.decode() for key, value in _LABEL.findall(found[2] or b"")}
            yield labels, float(found[3])
