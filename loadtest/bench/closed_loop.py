"""Measures what closed-loop clients get from a server in a time window."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median

import uvloop

from loadtest.bench.dialects import Dialect
from loadtest.closed_loop import ClosedLoop, Sent
from loadtest.connection import Client
from stack.http import Answer

STALL_SECONDS = 0.5  # a virtual machine may stand still; figures of that time are worthless


@dataclass
class Load:
    """What the clients saw in the measured window; `cpu` is the load generator's share of one CPU."""

    seconds: float
    cpu: float = 0.0
    texts: int = 0
    latencies: list[float] = field(default_factory=list)  # seconds
    errors: Counter[str] = field(default_factory=Counter)
    answered: int = 0  # texts, before the window and after it too
    first: float = math.inf  # when the first request was sent, in monotonic seconds
    last: float = -math.inf  # when the last answer was complete

    @property
    def whole_texts_per_s(self) -> float:
        """Texts answered in a second from the first request to the last answer.

        No window cuts a request in two: four answers of 32 texts that come at once are a fifth of 1.5 seconds.
        """
        return self.answered / (self.last - self.first) if self.answered else 0.0

    @property
    def texts_per_s(self) -> float:
        """Texts answered in a second of the window."""
        return self.texts / self.seconds

    @property
    def p50_ms(self) -> float:
        """Median latency in milliseconds. Raises StatisticsError when nothing was answered."""
        return median(self.latencies) * 1000


def closed_loop(
    port: int,
    dialect: Dialect,
    batches: Iterator[list[str]],
    clients: int,
    *,
    seconds: float,
    warm: float,
    keep: Callable[[Answer], None] | None = None,
) -> Load:
    """Load for `warm` + `seconds` seconds, of which the second part counts; `keep` gets each answer that counts."""
    load, begin = Load(seconds), time.monotonic() + warm
    last: dict[int, Sent[list[str]]] = {}

    def note(sent: Sent[list[str]]) -> None:
        ended = sent.at + sent.seconds
        load.first, load.last = min(load.first, sent.at), max(load.last, ended)
        load.answered += len(sent.what) if sent.outcome == 200 else 0
        if sent.outcome != 200:
            load.errors[str(sent.outcome)] += 1
        elif begin <= ended < begin + seconds:
            load.texts += len(sent.what)
            if sent.at >= begin:
                load.latencies.append(sent.seconds)
                if keep and sent.answer:
                    keep(sent.answer)
        last[sent.client] = sent

    async def run() -> None:
        requests = ((texts, dialect.request(texts)) for texts in batches)
        watch = asyncio.create_task(_watch_cpu(load, begin))
        await ClosedLoop(port, requests, note, clients).run(begin + seconds - time.monotonic())
        await watch

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    for sent in last.values():  # after the window, since the check takes CPU
        _check(dialect, sent, load)
    return load


def send(port: int, dialect: Dialect, batches: Iterable[list[str]]) -> None:
    """Send each batch once, one after the other. Raises OSError for any answer but 200."""

    async def send_all() -> None:
        client = Client(port)
        for texts in batches:
            await client.ask(dialect.request(texts))
        client.close()

    asyncio.run(send_all())


async def _watch_cpu(load: Load, begin: float) -> None:
    await asyncio.sleep(begin - time.monotonic())
    began, used = time.monotonic(), time.process_time()
    await asyncio.sleep(begin + load.seconds - began)
    took = time.monotonic() - began
    load.cpu = (time.process_time() - used) / took
    if took > load.seconds + STALL_SECONDS:
        load.errors[f"the load generator stood still for {took - load.seconds:.1f} s"] += 1


def _check(dialect: Dialect, sent: Sent[list[str]], load: Load) -> None:
    """Count the last answer of a client as an error unless it holds what its texts must get."""
    if sent.answer is None or sent.answer.status != 200:
        return
    if wrong := dialect.wrong(sent.answer.body, sent.what):
        load.errors[wrong] += 1
