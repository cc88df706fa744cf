"""Drills and benchmarks see the inside of a stack whose shell has OPERATOR_KEYS."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import pytest

from drills.watch import Watch
from drills.workers import Counted, served
from loadtest.bench.metrics import counter
from loadtest.bench.probes import QUEUE, Queue
from stack import until
from stack.tests.server import reply, serving

PROCESS = {"pid": 7, "phase": "ready"}
METRICS = f"""{QUEUE}{{lane="bulk"}} 4.0
http_server_request_duration_seconds_count{{http_route="/embeddings/"}} 3
"""


def inside(handler: BaseHTTPRequestHandler) -> None:
    """Answer as a service does where OPERATOR_KEYS is set: strangers see no processes and no metrics."""
    known = handler.headers.get("Authorization") == "Bearer 0perator"
    if handler.path == "/metrics":
        reply(handler, 200 if known else 401, METRICS.encode() if known else b"")
    else:
        reply(handler, 200, json.dumps({"processes": [PROCESS] if known else []}).encode())


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a service that knows the key of this shell."""
    monkeypatch.setenv("OPERATOR_KEYS", "0perator, old")
    with serving(inside) as url:
        yield url


def test_a_drill_sees_processes_and_calls(url: str) -> None:
    """The watch has the pids and phases, and each worker's calls are counted."""
    with Watch(lambda: url) as watch, Counted(url) as worker:
        until(lambda: watch.pids == {7} and worker.counts, 20, "a look at each")
    assert watch.phase.now == "ready"
    assert worker.counts[0][1] == 3
    assert worker.phases <= {"ready"}
    assert served([url]) == [3]


def test_a_benchmark_sees_the_queue(url: str) -> None:
    """Its counters, and the queue that it watches."""
    port = urlsplit(url).port or 0
    with Queue(port) as queue:
        until(lambda: queue.tokens, 20, "a look")
    assert (queue.tokens[0], counter(port, QUEUE)) == (4.0, 4.0)
