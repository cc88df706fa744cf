"""Asks the probes again and again, each time on a fresh connection, as a kubelet does; and samples the queue."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from loadtest.bench.connection import HOST, Connection
from loadtest.bench.metrics import counter
from stack import StackError, until

PROBES = ("/livez", "/readyz")
PROBE_INTERVAL = 0.1  # seconds
QUEUE_INTERVAL = 0.5
PROBE_SECONDS = 5.0
QUEUE = "worker_queue_tokens"


@dataclass
class Probes:
    """Outcomes and seconds by probe, and the queue's tokens at each look, until `watch` is cancelled."""

    port: int
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: {probe: Counter() for probe in PROBES})
    seconds: dict[str, list[float]] = field(default_factory=lambda: {probe: [] for probe in PROBES})
    queue: list[float] = field(default_factory=list)

    async def watch(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            for probe in PROBES:
                group.create_task(self._watch(probe))
            group.create_task(self._watch_queue())

    async def _watch(self, probe: str) -> None:
        while True:
            began = time.perf_counter()
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    outcome = await self._ask(probe)
            except (OSError, TimeoutError) as error:
                outcome = type(error).__name__
            self.outcomes[probe][outcome] += 1
            self.seconds[probe].append(time.perf_counter() - began)
            await asyncio.sleep(PROBE_INTERVAL)

    async def _ask(self, probe: str) -> str:
        connection = await Connection.open(self.port)
        try:
            answer = await connection.exchange(f"GET {probe} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        finally:
            connection.close()
        return str(answer.status)

    async def _watch_queue(self) -> None:
        while True:
            with suppress(OSError):  # /metrics has no time limit to keep
                self.queue.append(await asyncio.to_thread(counter, self.port, QUEUE))
            await asyncio.sleep(QUEUE_INTERVAL)


def wait_for_queue(port: int, tokens_at_most: float, limit: float) -> tuple[float, float]:
    """Poll until no more tokens wait, for `limit` seconds at most: how many still do, and the seconds taken."""
    began = time.perf_counter()
    with suppress(StackError):
        until(lambda: counter(port, QUEUE) <= tokens_at_most, limit, "an empty queue", interval=0.05)
    return counter(port, QUEUE), time.perf_counter() - began
