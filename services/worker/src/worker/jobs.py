"""The inputs of one request on their way through the queue."""

import asyncio
from collections.abc import Sequence, Sized
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from contract.lane import Lane
from warmstart import request_id
from warmstart.traces import now

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext


@dataclass(slots=True, eq=False)
class Job:
    """One request: inputs in, such as token ids, rows in the same order out. The length of an input is what it costs.

    `parameter` is the request's name of the list; `deadline` and `arrived` are in the event loop's time.
    """

    inputs: Sequence[Sized]
    parameter: str
    deadline: float
    dimensions: int
    lane: Lane = Lane.INTERACTIVE
    dtype: type[np.floating[Any]] = np.float32
    rows: NDArray[Any] = field(init=False)
    future: asyncio.Future[NDArray[Any]] = field(init=False)
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
        self.rows = np.empty((len(self.inputs), self.dimensions), self.dtype)
        loop = asyncio.get_running_loop()
        self.future, self.arrived = loop.create_future(), loop.time()
        self.waiting_tokens = sum(map(len, self.inputs))

    @property
    def next_size(self) -> int:
        """Tokens of the first text that still waits."""
        return len(self.inputs[self.taken])

    def finish(self, index: int, row: NDArray[Any]) -> None:
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
    """One input of a request."""

    job: Job
    index: int

    @property
    def ids(self) -> Sized:
        """The input itself: a text's tokens."""
        return self.job.inputs[self.index]
