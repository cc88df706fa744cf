"""Dynamic batching: what came while the engine was busy is its next batch; an idle engine begins at once."""

import asyncio
import logging
from concurrent.futures import Executor
from time import perf_counter

import numpy as np

from servicekit.errors import ServiceError, Unavailable
from worker import metrics
from worker.engines.base import Engine, TokenIds, Vectors
from worker.engines.padding import next_of
from worker.jobs import Item, Job
from worker.passes import passes
from worker.speed import Speed
from worker.token_queue import TokenQueue

log = logging.getLogger("worker.batcher")


class Batcher:
    """Feeds one engine, on its own thread, from one queue. `budget` is the tokens of a batch."""

    def __init__(self, engine: Engine, executor: Executor, queue: TokenQueue, speed: Speed, budget: int) -> None:
        self.queue = queue
        self._engine = engine
        self._executor = executor
        self._speed = speed
        self._budget = budget
        self._unfinished: set[Job] = set()
        self._ended = False
        self._pass_began: float | None = None

    @property
    def pass_seconds(self) -> float:
        """How long the forward pass now running has taken; 0 while the engine is idle."""
        return 0.0 if self._pass_began is None else perf_counter() - self._pass_began

    def submit(self, inputs: list[TokenIds], parameter: str, deadline: float) -> Job:
        """Queue the texts of one request. Raises Unavailable when nothing serves the queue any more."""
        self.check_alive()
        job = Job(inputs, parameter, deadline, self._engine.dimensions)
        self._unfinished.add(job)
        self.queue.put(job)
        return job

    async def result(self, job: Job) -> Vectors:
        """Rows in the order of the inputs, (n, dimensions). A caller that is cancelled takes its job along.

        Raises DeadlineExceeded, Unavailable when the batcher ended, ServiceError for a text that failed.
        """
        try:
            return await job.future
        except asyncio.CancelledError:
            expired = asyncio.get_running_loop().time() >= job.deadline
            self.queue.drop(job, "expired" if expired else "abandoned")
            raise
        finally:
            self._unfinished.discard(job)

    def check_alive(self) -> None:
        """Raise Unavailable when `run` has ended."""
        if self._ended:
            raise Unavailable("the model has stopped; another process takes over", retry_after=1)

    async def run(self) -> None:
        """Serve the queue until cancelled. However it ends, no caller is left waiting."""
        try:
            while True:
                await self._serve(await self.queue.get(self._budget))
        finally:
            self._ended = True
            for job in self._unfinished:
                job.fail(Unavailable("the model has stopped", retry_after=1))

    async def _serve(self, items: list[Item]) -> None:
        """Compute one batch. How long a full queue takes is learnt from full ones: small ones cost more a token."""
        began = perf_counter()
        batches = passes(items, self._engine.lengths, self._engine.rows)
        tokens = sum([await self._embed(batch) for batch in batches])
        if tokens >= self._budget // 2:
            self._speed.add(tokens, perf_counter() - began)

    async def _embed(self, batch: list[Item]) -> int:
        """Compute one pass; returns its tokens."""
        batch = _wanted(batch)
        if not batch:
            return 0
        # An executor that takes no work is not the fault of an input: it ends the loop.
        loop = asyncio.get_running_loop()
        computing = loop.run_in_executor(self._executor, self._compute, [item.ids for item in batch])
        self._pass_began = perf_counter()
        try:
            rows = await computing
        except Exception as error:  # noqa: BLE001 - an engine may raise anything
            return await self._separate(batch, error)
        finally:
            seconds, self._pass_began = self.pass_seconds, None
        self._account(batch, seconds)
        for item, row in zip(batch, rows, strict=True):
            item.job.finish(item.index, row)
        return sum(len(item.ids) for item in batch)

    async def _separate(self, batch: list[Item], error: Exception) -> int:
        """One bad input fails alone: without its batch, which is computed again text by text."""
        if len(batch) > 1:
            log.warning("a pass of %d texts failed: %r; trying them one by one", len(batch), error)
            return sum([await self._embed([item]) for item in batch])
        [item] = batch
        log.error("a text of %d tokens can't be embedded", len(item.ids), exc_info=error)
        metrics.FAILED.inc()
        self.queue.drop(item.job, "failed")
        field = f"{item.job.parameter}.{item.index}"
        item.job.fail(ServiceError(f"{field} could not be embedded", param=field, code="inference_failed"))
        return 0

    def _compute(self, inputs: list[TokenIds]) -> Vectors:
        rows = self._engine.embed(inputs)
        if rows.shape != (len(inputs), self._engine.dimensions) or not np.isfinite(rows).all():
            raise ValueError(f"the engine gave no finite vector for each text: {rows.shape}")
        return rows

    def _account(self, batch: list[Item], seconds: float) -> None:
        sizes = [len(item.ids) for item in batch]
        tokens = sum(sizes)
        for job in {item.job for item in batch}:
            job.inference_seconds += seconds
        metrics.TOKENS.inc(tokens)
        longest, rows = next_of(self._engine.lengths, max(sizes)), next_of(self._engine.rows, len(sizes))
        metrics.PADDING.inc(longest * rows - tokens)
        metrics.BATCH_TEXTS.observe(len(sizes))
        metrics.BATCH_TOKENS.observe(tokens)
        metrics.INFERENCE_SECONDS.observe(seconds)


def _wanted(batch: list[Item]) -> list[Item]:
    """Without the texts whose request has ended since they left the queue."""
    for item in batch:
        if item.job.future.done():
            metrics.DROPPED.labels(item.job.dropped).inc()
    return [item for item in batch if not item.job.future.done()]
