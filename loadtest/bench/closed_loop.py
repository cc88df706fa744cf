"""Closed-loop load: so many clients, each sending its next request when it has the answer to its last."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median

import uvloop

from loadtest.bench.connection import Answer, Connection
from loadtest.bench.dialects import Dialect, check

ANSWER_SECONDS = 60.0  # a server that is silent for longer counts as an error
STALL_SECONDS = 0.5  # a virtual machine may stand still: what was measured meanwhile is worth nothing


@dataclass
class Load:
    """What the clients saw in the measured window; `cpu` is the load generator's share of one CPU."""

    seconds: float
    cpu: float = 0.0
    texts: int = 0
    latencies: list[float] = field(default_factory=list)  # seconds
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def texts_per_s(self) -> float:
        """Answered in the window."""
        return self.texts / self.seconds

    @property
    def p50_ms(self) -> float:
        """Median latency in milliseconds. Raises StatisticsError when nothing was answered."""
        return median(self.latencies) * 1000


def closed_loop(
    port: int, dialect: Dialect, batches: Iterator[list[str]], clients: int, *, seconds: float, warm: float
) -> Load:
    """Load for `warm` + `seconds` seconds, of which the second part counts."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Clients(port, dialect, batches, seconds, warm).run(clients))


def send(port: int, dialect: Dialect, batches: Iterable[list[str]]) -> None:
    """Send each batch once, one after the other. Raises OSError for any answer but 200."""

    async def send_all() -> None:
        connection = await Connection.open(port)
        for texts in batches:
            answer = await connection.exchange(dialect.request(texts))
            if answer.status != 200:
                raise OSError(f"{answer.status}: {answer.body[:200]!r}")
        connection.close()

    asyncio.run(send_all())


class _Clients:
    def __init__(self, port: int, dialect: Dialect, batches: Iterator[list[str]], seconds: float, warm: float) -> None:
        self._port = port
        self._dialect = dialect
        self._batches = batches
        self._load = Load(seconds)
        self._begin = time.perf_counter() + warm
        self._end = self._begin + seconds

    async def run(self, clients: int) -> Load:
        watch = asyncio.create_task(self._watch_cpu())
        await asyncio.gather(*(self._client() for _ in range(clients)))
        await watch
        return self._load

    async def _watch_cpu(self) -> None:
        await asyncio.sleep(self._begin - time.perf_counter())
        began, used = time.perf_counter(), time.process_time()
        await asyncio.sleep(self._end - began)
        took = time.perf_counter() - began
        self._load.cpu = (time.process_time() - used) / took
        if took > self._load.seconds + STALL_SECONDS:
            self._load.errors[f"the load generator stood still for {took - self._load.seconds:.1f} s"] += 1

    async def _client(self) -> None:
        connection = await Connection.open(self._port)
        last: tuple[list[str], Answer] | None = None
        while (sent := time.perf_counter()) < self._end:
            if not connection.usable:
                connection = await Connection.open(self._port)
            texts = next(self._batches)
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer = await connection.exchange(self._dialect.request(texts))
            except (OSError, TimeoutError) as error:
                self._load.errors[type(error).__name__] += 1
                connection.close()
                continue
            self._count(sent, len(texts), answer)
            last = texts, answer
        connection.close()
        if last:
            self._check(*last)

    def _count(self, sent: float, texts: int, answer: Answer) -> None:
        now = time.perf_counter()
        if answer.status != 200:
            self._load.errors[str(answer.status)] += 1
        elif self._begin <= now < self._end:
            self._load.texts += texts
            if sent >= self._begin:
                self._load.latencies.append(now - sent)

    def _check(self, texts: list[str], answer: Answer) -> None:
        """Each client's last answer holds a unit vector for each of its texts. Outside the window: it takes CPU."""
        if answer.status == 200 and (wrong := check(self._dialect.vectors(answer.body), len(texts))):
            self._load.errors[wrong] += 1
