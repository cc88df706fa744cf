"""Four clients that go on, one sentence after the other, whatever others do."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from loadtest.bench.connection import Answer, Connection
from loadtest.bench.reference import ASK, Reference
from loadtest.bench.texts import sentences

CLIENTS = 4


@dataclass(frozen=True)
class One:
    """A sentence by number, when it was sent, and its answer."""

    phase: str
    number: int
    seconds: float
    answer: Answer


class Rest:
    """`run` until `stop`; each request carries the `phase` in which it was sent."""

    def __init__(self, port: int) -> None:
        self.phase = "before"
        self.sent: list[One] = []
        self._port = port
        self._numbers = count()
        self._stopped = False

    async def run(self) -> None:
        """Raises OSError when the server hangs up on one of them."""
        await asyncio.gather(*(self._client() for _ in range(CLIENTS)))

    def stop(self) -> None:
        """Let each have its last answer."""
        self._stopped = True

    def seconds(self, phase: str) -> list[float]:
        """Of the requests of a phase."""
        return [each.seconds for each in self.sent if each.phase == phase]

    def tokens(self, reference: Reference) -> int:
        """What their answered requests cost."""
        return sum(reference.tokens[each.number] for each in self.sent if each.answer.status == 200)

    def rows(self) -> Iterator[dict[str, Any]]:
        """One for each request."""
        for each in self.sent:
            yield {"phase": each.phase, "status": each.answer.status, "ms": each.seconds * 1000}

    async def _client(self) -> None:
        connection = await Connection.open(self._port)
        while not self._stopped:
            number = next(self._numbers) % len(sentences())
            phase, began = self.phase, time.perf_counter()
            answer = await connection.exchange(ASK.request([sentences()[number]]))
            self.sent.append(One(phase, number, time.perf_counter() - began, answer))
        connection.close()
