"""Measures requests 1 to N of each shape after a start, one at a time: they show what warm-up passes are for."""

import json
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from loadtest.openloop import Request, makers
from loadtest.openloop.client import Client
from loadtest.openloop.peer import Peers
from stack.http import Answer
from stack.worker_secret import worker_headers

# The bodies that the worker is warmed for, and one between them.
SHAPES: Mapping[str, Callable[[random.Random, int], Request]] = {
    "3 words": makers.worker_short,
    "1 sentence": makers.worker_typical,
    "256 tokens": makers.worker_long,
    "32 sentences": makers.worker_batch,
}
TIMEOUT = 60.0  # seconds


class AskError(Exception):
    """A request of a quiet trial got no good answer."""


class Asker:
    """One client with one connection, which is open before the first request counts.

    `first_embedding` is when the first one was answered, in `time.monotonic()` seconds.
    """

    first_embedding: float | None = None

    def __init__(self, url: str) -> None:
        self._client = Client(url, pooled=True, peers=Peers())
        self._draw = random.Random()  # noqa: S311 - nothing is secret here

    def __enter__(self) -> Self:
        self._send(makers.livez(self._draw, 0))
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def each_shape(self, count: int) -> dict[str, tuple[float, ...]]:
        """Milliseconds of `count` requests of each shape, the shapes in turn. Raises AskError."""
        times: dict[str, list[float]] = {shape: [] for shape in SHAPES}
        for number in range(count):
            for shape, make in SHAPES.items():
                took, _ = self._send(make(self._draw, number))
                self.first_embedding = self.first_embedding or time.monotonic()
                times[shape].append(round(took * 1000, 3))
        return {shape: tuple(found) for shape, found in times.items()}

    def engine(self) -> dict[str, Any]:
        """Name, precision and threads. With a lazy start this would load the model: ask afterwards."""
        _, answer = self._send(Request("/model", method="GET", headers=worker_headers()))
        return {name: json.loads(answer.body)[name] for name in ("engine", "precision", "threads")}

    def _send(self, request: Request) -> tuple[float, Answer]:
        began = time.monotonic()
        result = self._client.send(request, began + TIMEOUT)
        if result.answer is None:
            raise AskError(f"{request.path}: {result.error}")
        wrong = request.check(result.answer) if request.check and result.answer.status == 200 else ""
        if result.answer.status != 200 or wrong:
            raise AskError(f"{request.path}: status {result.answer.status} {wrong}")
        return result.done - began, result.answer
