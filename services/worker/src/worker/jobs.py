"""The texts of one request on their way through the queue."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from contract.lane import Lane
from warmstart import request_id
from warmstart.traces import now
from worker.engines.base import TokenIds, Vectors

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext


@dataclass(slots=True, eq=False)
class Job:
    """One request: token ids in, rows in the same order out.

    `parameter` is the request's name of the list; `deadline` and `arrived` are in the event loop's time.
    """

    inputs: list[TokenIds]
    parameter: str
    deadline: float
    dimensions: int
    lane: Lane = Lane.INTERACTIVE
    rows: Vectors = field(init=False)
    future: asyncio.Future[Vectors] = field(init=False)
    waiting_tokens: int = field(init=False)
    arrived: float = field(init=False)
    taken: int = 0
    finished: int = 0
    inference_seconds: float = 0.0
    dropped: str | None = None
    request_id: str | None = field(default_factory=request_id.current)
    span: "SpanContext | None" = field(default_factory=now.current)

    def __post_init__(self) -> None:
        """Needs a running event loop."""
        self.rows = np.empty((len(self.inputs), self.dimensions), np.float32)
        loop = asyncio.get_running_loop()
        self.future, self.arrived = loop.create_future(), loop.time()
        self.waiting_tokens = sum(map(len, self.inputs))

    @property
    def next_size(self) -> int:
        """Tokens of the first text that still waits."""
        return len(self.inputs[self.taken])

    def finish(self, index: int, row: Vectors) -> None:
        """Keep one row; the last row completes the request."""
        self.rows[index] = row
        self.finished += 1
        # The caller may have left while the row was computed.
        if self.finished == len(self.inputs) and not self.future.done():
            self.future.set_result(self.rows)

    def fail(self, error: Exception) -> None:
        """Fail the whole request, unless its caller has left or has its answer."""
        if not self.future.done():
            self.future.set_exception(error)


@dataclass(frozen=True, slots=True)
class Item:
    """One text of a request."""

    job: Job
    index: int

    @property
    def ids(self) -> TokenIds:
        """Its tokens."""
        return self.job.inputs[self.index]
