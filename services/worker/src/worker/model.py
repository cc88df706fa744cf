"""The model that is served: tokenizing, admission, batching and identity behind one call."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from time import perf_counter

from servicekit.timing import Timings
from worker.batcher import Batcher
from worker.engines.base import Engine, TokenIds, Vectors
from worker.schemas import EmbeddingsRequest, ModelInfo

ON_LOOP_CHARACTERS = 1000  # tokenized in 0.3 ms, about what handing it to a thread and back costs
BYTES_PER_TOKEN = 4  # of UTF-8: English has 4 to 5, Chinese 3


@dataclass(frozen=True)
class Embedded:
    """One request's rows (n, dimensions), the tokens of each text and the stages' timings."""

    rows: Vectors
    token_counts: list[int]
    timings: Timings


@dataclass(frozen=True)
class Model:
    """`tokenizing` is a thread of its own: neither the event loop nor inference waits for long texts."""

    info: ModelInfo
    engine: Engine
    batcher: Batcher
    tokenizing: Executor

    async def embed(self, request: EmbeddingsRequest, deadline: float) -> Embedded:
        """Answer one valid request by `deadline`, in the event loop's time.

        Raises Overloaded before any work is done on the request, and what `Batcher.result` raises.
        """
        began = perf_counter()
        left = deadline - asyncio.get_running_loop().time()
        with self.batcher.queue.reserve(self._estimate(request), left):
            inputs = await self._tokenize(request)
            job = self.batcher.submit(inputs, "token_ids" if request.texts is None else "texts", deadline)
        queued = perf_counter()
        rows = await self.batcher.result(job)
        waited = perf_counter() - queued - job.inference_seconds
        timings = Timings(tokenize=queued - began, queue=max(0.0, waited), inference=job.inference_seconds)
        return Embedded(rows, [len(ids) for ids in inputs], timings)

    def _estimate(self, request: EmbeddingsRequest) -> int:
        """Tokens of a request that is not tokenized yet."""
        special = len(self.engine.from_ids([]))
        sizes: Sequence[int] = [len(ids) for ids in request.token_ids or ()]
        if request.texts is not None:
            sizes = [len(text.encode()) // BYTES_PER_TOKEN for text in request.texts]
        return sum(min(size + special, self.engine.max_tokens) for size in sizes)

    async def _tokenize(self, request: EmbeddingsRequest) -> list[TokenIds]:
        if request.texts is None:
            return [self.engine.from_ids(ids) for ids in request.token_ids or ()]
        if sum(map(len, request.texts)) <= ON_LOOP_CHARACTERS:
            return self.engine.encode(request.texts)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.tokenizing, self.engine.encode, request.texts)
