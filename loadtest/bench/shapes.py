"""The first request of each shape after readiness, against the steady state of the same shape."""

import asyncio
import time
from dataclasses import dataclass
from statistics import median

import uvloop

from loadtest.bench.connection import Connection
from loadtest.bench.dialects import Dialect
from loadtest.bench.texts import long_text, text

SHAPES = ("text", "longest", "batch")  # one sentence, one text beyond the model's maximum, 32 sentences
STEADY = 8  # requests whose median is the steady state


@dataclass(frozen=True)
class First:
    """Milliseconds of the first request of a shape, and of the median of those after the first of every shape."""

    first_ms: float
    steady_ms: float


def first_requests(port: int, dialect: Dialect, start: int) -> dict[str, First]:
    """By shape. The texts are those from number `start` on, each sent once. Raises OSError for any answer but 200."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_first_requests(port, dialect, start))


async def _first_requests(port: int, dialect: Dialect, start: int) -> dict[str, First]:
    connection = await Connection.open(port)
    try:
        rounds = [
            {shape: await _time(connection, dialect, shape, start + 100 * number) for shape in SHAPES}
            for number in range(STEADY + 1)
        ]
    finally:
        connection.close()
    return {shape: First(rounds[0][shape], median(each[shape] for each in rounds[1:])) for shape in SHAPES}


async def _time(connection: Connection, dialect: Dialect, shape: str, start: int) -> float:
    if shape == "batch":
        texts = [text(start + number) for number in range(32)]
    else:
        texts = [long_text(start + 40)] if shape == "longest" else [text(start + 80)]
    request = dialect.request(texts)
    began = time.perf_counter()
    answer = await connection.exchange(request)
    if answer.status != 200:
        raise OSError(f"{answer.status} for a request of shape {shape}: {answer.body[:200]!r}")
    return (time.perf_counter() - began) * 1000
