"""Open-loop load: requests leave at their times, whether or not earlier ones are answered.

Latency counts from the scheduled time, so that a late client does not flatter the server (coordinated omission).
"""

import asyncio
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass

from loadtest.bench.connection import Answer, Connection
from loadtest.bench.reference import ASK
from loadtest.bench.texts import sentences

ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class Sent:
    """One request: its time in seconds since the start, how late it left, its texts by number, what came of it."""

    at: float
    lag: float
    numbers: list[int]
    seconds: float
    answer: Answer | None
    error: str = ""

    @property
    def outcome(self) -> str:
        """Its status, or the name of what came instead."""
        return str(self.answer.status) if self.answer else self.error


class OpenLoop:
    """Sends sentences to a worker, over as many connections as it takes."""

    def __init__(self, port: int, texts: int, seed: int = 0) -> None:
        self.sent: list[Sent] = []
        self._port = port
        self._texts = texts
        self._chance = random.Random(seed)  # noqa: S311 - load, not a secret
        self._idle: list[Connection] = []

    async def run(self, times: Iterable[float]) -> None:
        """Returns when each request has its answer."""
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for at in times:
                # Never zero: a generator that is late still lets its answers in.
                await asyncio.sleep(max(0.0, began + at - time.perf_counter()))
                group.create_task(self._send(began, at))
        for connection in self._idle:
            connection.close()

    async def _send(self, began: float, at: float) -> None:
        lag = time.perf_counter() - began - at
        numbers = self._chance.sample(range(len(sentences())), self._texts)
        request = ASK.request([sentences()[number] for number in numbers])
        answer, error = None, ""
        try:
            connection = await self._connection()
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await connection.exchange(request)
            self._idle.append(connection)
        except (OSError, TimeoutError) as failure:
            error = type(failure).__name__
        self.sent.append(Sent(at, lag, numbers, time.perf_counter() - began - at, answer, error))

    async def _connection(self) -> Connection:
        while self._idle:
            if (connection := self._idle.pop()).usable:
                return connection
        return await Connection.open(self._port)
