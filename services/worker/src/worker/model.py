"""The served model: tokenizing, admission, batching and identity behind one call."""

import asyncio
import logging
from concurrent.futures import Executor
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

from contract import call, lane
from contract.lane import Lane
from contract.model import ModelInfo
from warmstart.errors import ServiceError
from warmstart.http.timing import Timings
from warmstart.traces import now
from worker import metrics
from worker.admission import Demand
from worker.batcher import Batcher
from worker.engines.base import Engine, TokenIds, Vectors
from worker.schemas import EmbeddingsRequest

log = logging.getLogger("worker.model")

ON_LOOP_CHARACTERS = 1000  # tokenized in 0.3 ms, 0.8 ms as 256 texts: about the cost of handing them to a thread
PORTION = 16  # texts: of the longest, 20,000 characters each, 0.05 s


@dataclass(frozen=True)
class Embedded:
    """One request's rows (n, dimensions), the tokens of each text and the stages' timings."""

    rows: Vectors
    token_counts: list[int]
    timings: Timings


class Embeds(Protocol):
    """What the routes need of a model."""

    @property
    def info(self) -> ModelInfo:
        """Its identity and limits."""

    async def embed(
        self, request: EmbeddingsRequest, deadline: float, whole: int = 0, asked: Lane | None = None
    ) -> Embedded:
        """See `Model.embed`."""


@dataclass(frozen=True)
class Model:
    """`tokenizing` is a thread of its own: neither the event loop nor inference waits for long texts.

    Requests take turns on it, with `PORTION` texts each.
    """

    info: ModelInfo
    engine: Engine
    batcher: Batcher
    tokenizing: Executor

    async def embed(
        self, request: EmbeddingsRequest, deadline: float, whole: int = 0, asked: Lane | None = None
    ) -> Embedded:
        """Answer one valid request by `deadline`, in the event loop's time.

        The request may be part of a larger call, which has `whole` tokens. It waits in the lane that it `asked` for, or
        in that of its size. Raises Overloaded or PayloadTooLarge before any work is done on the request, ServiceError
        where the tokenizer fails, and what `Batcher.result` raises.
        """
        began = perf_counter()
        left = deadline - asyncio.get_running_loop().time()
        demand = self._demand(request, whole, asked)
        with self.batcher.queue.reserve(demand, left):
            try:
                with now.span("tokenize"):
                    inputs = await self._tokenize(request)
            except Exception as error:
                log.exception("%s can't be tokenized", request.field)
                self.batcher.health.doubt()
                metrics.FAILED.inc(len(request.inputs))
                message = f"{request.field} could not be tokenized"
                raise ServiceError(message, param=request.field, code="inference_failed") from error
            job = self.batcher.submit(inputs, request.field, deadline, demand.lane)
        queued = perf_counter()
        rows = await self.batcher.result(job)
        waited = perf_counter() - queued - job.inference_seconds
        timings = Timings(tokenize=queued - began, queue=max(0.0, waited), inference=job.inference_seconds)
        metrics.STAGES.observe(timings)
        return Embedded(rows, [len(ids) for ids in inputs], timings)

    def _demand(self, request: EmbeddingsRequest, whole: int, asked: Lane | None) -> Demand:
        tokens = call.estimate(request.inputs, special=self.info.special_tokens, longest=self.info.max_tokens)
        return Demand(len(request.inputs), tokens, whole, asked or lane.by_size(max(tokens, whole)))

    async def _tokenize(self, request: EmbeddingsRequest) -> list[TokenIds]:
        if request.texts is None:
            return [self.engine.from_ids(ids) for ids in request.token_ids or ()]
        if sum(map(len, request.texts)) <= ON_LOOP_CHARACTERS:
            # One by one: two texts at once would wait in the tokenizer's pool, which long texts of others fill.
            return [ids for text in request.texts for ids in self.engine.encode([text])]
        loop, inputs = asyncio.get_running_loop(), list[TokenIds]()
        for start in range(0, len(request.texts), PORTION):
            portion = request.texts[start : start + PORTION]
            inputs += await loop.run_in_executor(self.tokenizing, self.engine.encode, portion)
        return inputs
