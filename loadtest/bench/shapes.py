"""Compares the first request of each shape after readiness with the steady state of the shape."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import uvloop

from loadtest.bench.dialects import Dialect
from loadtest.bench.texts import long_text, text
from loadtest.connection import Client

SHAPES = ("text", "longest", "batch")  # one sentence, one text beyond the model's maximum, 32 sentences
STEADY = 8  # turns whose median is the steady state


@dataclass(frozen=True)
class First:
    """Milliseconds of the first request of a shape, and the median of those after the first of every shape."""

    first_ms: float
    steady_ms: float

    @property
    def ratio(self) -> float:
        """How many times slower the first request was."""
        return self.first_ms / self.steady_ms


def texts_of(shape: str, start: int, turn: int) -> list[str]:
    """One request of a shape, with texts from number `start` on that no other shape or turn has."""
    start += turn * 100
    if shape == "batch":
        return [text(start + number) for number in range(32)]
    return [long_text(start + 40) if shape == "longest" else text(start + 80)]


def by_shape(turns: Sequence[Mapping[str, float]]) -> dict[str, First]:
    """The figures of each shape, from the seconds of each shape in each turn."""
    ms = {shape: [turn[shape] * 1000 for turn in turns] for shape in SHAPES}
    return {shape: First(times[0], median(times[1:])) for shape, times in ms.items()}


def first_requests(port: int, dialect: Dialect, start: int) -> dict[str, First]:
    """By shape, one after the other. Raises OSError for any answer but 200."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_first_requests(port, dialect, start))


async def _first_requests(port: int, dialect: Dialect, start: int) -> dict[str, First]:
    client = Client(port)
    turns = [
        {shape: await _time(client, dialect, texts_of(shape, start, turn)) for shape in SHAPES}
        for turn in range(STEADY + 1)
    ]
    client.close()
    return by_shape(turns)


async def _time(client: Client, dialect: Dialect, texts: list[str]) -> float:
    request = dialect.request(texts)
    began = time.perf_counter()
    await client.ask(request)
    return time.perf_counter() - began
