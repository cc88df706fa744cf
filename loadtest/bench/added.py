"""Measures what one server adds to the latency of another: both are asked in turns, as a machine's speed changes."""

from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from loadtest.bench.closed_loop import closed_loop
from loadtest.bench.dialects import Dialect

TURNS = 8
TURN_SECONDS = 0.6  # each; about 60 answers
WARM_SECONDS = 0.1


class Asked(NamedTuple):
    """A port and the dialect of its server."""

    port: int
    dialect: Dialect


def added_ms(front: Asked, behind: Asked, texts: Iterator[list[str]], scale: float) -> float:
    """Median over the turns of the difference of both median latencies. Raises OSError for an answer that is wrong."""
    return median(_p50_ms(front, texts, scale) - _p50_ms(behind, texts, scale) for _ in range(TURNS))


def _p50_ms(asked: Asked, texts: Iterator[list[str]], scale: float) -> float:
    load = closed_loop(*asked, texts, clients=1, seconds=TURN_SECONDS * scale, warm=WARM_SECONDS)
    if load.errors:
        raise OSError(f"answers in turns: {dict(load.errors)}")
    return load.p50_ms
