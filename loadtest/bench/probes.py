"""Asks a worker's probes every 100 ms while it is under load, and reads the length of its queue."""

import time
from contextlib import suppress

from loadtest.bench.metrics import counter, samples
from stack import StackError, until
from stack.operator_key import operator_headers
from stack.ports import HOST
from stack.prober import Look, Prober

PROBES = ("/livez", "/readyz")
PROBE_SECONDS = 5.0
QUEUE_PERIOD = 0.5  # seconds
QUEUE = "worker_queue_tokens"


def probes(port: int) -> Prober:
    """Asks `PROBES`."""
    return Prober(f"http://{HOST}:{port}", PROBES, timeout=PROBE_SECONDS)


class Queue(Prober):
    """`tokens` has the number of waiting tokens at each look."""

    def __init__(self, port: int) -> None:
        super().__init__(f"http://{HOST}:{port}", ["/metrics"], QUEUE_PERIOD, PROBE_SECONDS, more=operator_headers())
        self.tokens: list[float] = []

    def note(self, path: str, look: Look, body: bytes) -> None:
        """See `Prober.note`. /metrics has no time limit to keep."""
        super().note(path, look, body)
        if body:
            self.tokens.append(sum(samples(body.decode(), QUEUE).values()))


def wait_for_queue(port: int, tokens_at_most: float, limit: float) -> tuple[float, float]:
    """Wait for `limit` seconds at most until no more tokens wait: how many still do, and the seconds taken."""
    began = time.perf_counter()
    with suppress(StackError):
        until(lambda: counter(port, QUEUE) <= tokens_at_most, limit, "an empty queue", interval=0.05)
    return counter(port, QUEUE), time.perf_counter() - began
