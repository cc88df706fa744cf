"""Dynamic batching: inputs that arrive while the engine is busy form its next batch; an idle engine starts at once."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence, Sized
from concurrent.futures import Executor
from time import perf_counter
from typing import Any

from numpy.typing import NDArray

from contract.lane import Lane
from warmstart.errors import Unavailable
from warmstart.lifecycle.health import reason
from worker import spans
from worker.embedding import EMBEDDING
from worker.engines.padding import next_of
from worker.health import EngineHealth
from worker.jobs import Item, Job
from worker.passes import passes
from worker.token_queue import TokenQueue
from worker.work import Computer, Work

log = logging.getLogger("worker.batcher")

# Seconds between two passes that add a length, about 10 ms each: fewer than one text in a hundred meets one of them.
EVERY = 2.0


class Batcher:
    """Feeds one engine, on its own thread, from one queue, whose admission says how large a batch may be.

    `limit` is the seconds after which a pass is stuck. Each call of `later` is a pass that adds a length to the
    engine's. `work` is what the engine does: it embeds texts, or it predicts rows of features.
    """

    def __init__(
        self,
        engine: Computer,
        executor: Executor,
        queue: TokenQueue,
        *,
        limit: float,
        later: Iterable[Callable[[], None]] = (),
        work: Work = EMBEDDING,
    ) -> None:
        self.queue = queue
        self.health = EngineHealth(engine, executor, limit, work)
        self._engine = engine
        self._executor = executor
        self._admission = queue.admission
        self._work = work
        self._later = deque(later)
        self._unfinished: set[Job] = set()
        self._ended = False

    def submit(self, inputs: Sequence[Sized], parameter: str, deadline: float, lane: Lane = Lane.INTERACTIVE) -> Job:
        """Queue the inputs of one request. Raises Unavailable when nothing serves the queue, or the engine is stuck."""
        self._check_alive()
        job = Job(inputs, parameter, deadline, self._engine.dimensions, lane, self._work.dtype)
        self._unfinished.add(job)
        self.queue.put(job)
        return job

    async def result(self, job: Job) -> NDArray[Any]:
        """Rows in the order of the inputs, (n, dimensions). When the caller is cancelled, its job leaves the queue.

        Raises DeadlineExceeded, Unavailable when the batcher ended, what `Work.failed` gives for an input that failed.
        """
        try:
            return await job.future
        except asyncio.CancelledError:
            expired = asyncio.get_running_loop().time() >= job.deadline
            self.queue.drop(job, "expired" if expired else "abandoned")
            raise
        finally:
            self._unfinished.discard(job)

    def check(self) -> None:
        """Raise Unavailable when nothing serves the queue, or the engine is stuck or broken. Never waits.

        Requests that wait for a stuck engine fail with it.
        """
        if stuck := self.health.stuck:
            self._fail(Unavailable(stuck, retry_after=1), "stuck")
        self._check_alive()
        self.health.check()

    def _check_alive(self) -> None:
        if self._ended:
            raise Unavailable(f"{self._work.model} has stopped; another process takes over", retry_after=1)
        if stuck := self.health.stuck:
            raise Unavailable(stuck, retry_after=1)

    def _fail(self, error: Unavailable, why: str) -> None:
        for job in self._unfinished:
            self.queue.drop(job, why)
            job.fail(error)

    async def run(self) -> None:
        """Serve the queue until cancelled. However it ends, no caller is left waiting."""
        self._due = _now() + EVERY
        try:
            while True:
                await self._add_lengths()
                await self._serve(await self.queue.get(self._admission.budget))
        finally:
            self._ended = True
            self._fail(Unavailable(f"{self._work.model} has stopped", retry_after=1), "stopped")

    async def _add_lengths(self) -> None:
        """Until a text comes, have the engine compile for the lengths for which there was no time before readiness.

        When one is due, texts that wait go on waiting: under load the engine would never be idle.
        """
        loop = asyncio.get_running_loop()
        while self._later and (_now() >= self._due or not await self.queue.comes(self._due - _now())):
            computing = loop.run_in_executor(self._executor, self._later.popleft())
            try:
                with self.health.watching(proves=False):
                    await computing
            except Exception as error:  # noqa: BLE001 - an engine may raise anything
                log.error("texts of one length are padded to the next: %s", reason(error))
            self._due = _now() + EVERY

    async def _serve(self, items: list[Item]) -> None:
        """Compute one batch."""
        if items[0].job.lane is Lane.BULK:
            await self._serve_bulk(items)
        else:
            await self._serve_interactive(items)

    async def _serve_interactive(self, items: list[Item], since: float | None = None) -> None:
        """Compute a batch of interactive texts, which may go before a batch of bulk texts that waits `since`."""
        began = _now()
        tokens = sum([await self._compute(batch) for batch in self._passes(items)])
        seconds = _now() - began
        self._learn(tokens, seconds)
        self.queue.turns.interactive_took(seconds, _now(), since=since)

    async def _serve_bulk(self, items: list[Item]) -> None:
        """Compute a batch of bulk texts, and before each of its passes the interactive texts whose turn it is."""
        turns, since = self.queue.turns, min(item.job.arrived for item in items)
        tokens, seconds = 0, 0.0
        for batch in self._passes(items):
            while not turns.bulk_is_next(since, _now()) and (first := self.queue.go_first(self._admission.budget)):
                await self._serve_interactive(first, since)
            began = _now()
            tokens += await self._compute(batch)
            took = _now() - began
            turns.bulk_took(took)
            seconds += took
        self._learn(tokens, seconds)

    def _learn(self, tokens: int, seconds: float) -> None:
        """Learn the engine's speed from a batch.

        Only a full batch tells how long a full queue takes: a small batch costs more time for each token. So a small
        batch counts only when it took less time than expected, which shows that the speed was underrated (after a pause
        of the machine, say).
        """
        speed = self._admission.speed
        full = tokens >= self._admission.budget // 2
        if tokens and (full or seconds < speed.seconds_for(tokens)):
            speed.add(tokens, seconds, full=full)

    def _passes(self, items: list[Item]) -> list[list[Item]]:
        return passes(items, self._engine.lengths, self._engine.rows)

    async def _compute(self, batch: list[Item]) -> int:
        """Compute one pass; returns its tokens without those of requests that have ended."""
        with self.queue.computing(batch):
            return await self._pass(batch)

    async def _pass(self, batch: list[Item], *, whole: bool = True) -> int:
        """Compute texts: a `whole` pass, or a part of one that has failed."""
        batch = self._wanted(batch)
        if not batch:
            return 0
        # An executor that takes no work is no fault of an input: it ends the loop.
        loop, ids = asyncio.get_running_loop(), [item.ids for item in batch]
        computing = loop.run_in_executor(self._executor, self._work.compute, self._engine, ids)
        began = perf_counter()
        try:
            with self.health.watching():
                rows = await computing
        except Exception as error:  # noqa: BLE001 - an engine may raise anything
            return await self._failed(batch, error, whole=whole)
        seconds = perf_counter() - began
        for item, row in zip(batch, rows, strict=True):
            item.job.finish(item.index, row)
        spans.note_pass(batch, seconds, self._work)
        self._account(batch, seconds)
        return sum(len(item.ids) for item in batch)

    async def _failed(self, batch: list[Item], error: Exception, *, whole: bool) -> int:
        """Fail all if a known input fails, too: they aren't at fault. Else fail a single input, or try the halves."""
        if whole:
            try:
                await self.health.prove()
            except Unavailable as broken:
                self._fail_together(batch, broken)
                return 0
        if len(batch) == 1:
            self._fail_alone(batch[0], error)
            return 0
        if whole:
            one, inputs = self._work.one, self._work.inputs
            log.warning("%s of %d %s failed: %r; trying its halves", one, len(batch), inputs, error)
        return await self._halves(batch)

    async def _halves(self, batch: list[Item]) -> int:
        """Compute a failed batch in halves, and these in halves, so that one bad input fails alone.

        To find one among n takes about twice the time of the batch, and 2 log2(n) passes; one by one it would be n.
        """
        middle = len(batch) // 2
        return sum([await self._pass(half, whole=False) for half in (batch[:middle], batch[middle:])])

    def _fail_alone(self, item: Item, error: Exception) -> None:
        self._work.failures.inc()
        failure = self._work.failed(f"{item.job.parameter}.{item.index}", error)
        said = (failure.message, self._work.sizes, len(item.ids))
        named = {"request_id": item.job.request_id}
        if failure.status < 500:  # the caller's fault, who could fill the log with tracebacks
            log.warning("%s (%s: %d): %s", *said, error, extra=named)
        else:
            log.error("%s (%s: %d)", *said, exc_info=error, extra=named)
        self.queue.drop(item.job, "failed")
        item.job.fail(failure)

    def _fail_together(self, batch: list[Item], error: Unavailable) -> None:
        self._work.failures.inc(len(batch))
        for job in {item.job for item in batch}:
            self.queue.drop(job, "failed")
            job.fail(error)

    def _account(self, batch: list[Item], seconds: float) -> None:
        sizes = [len(item.ids) for item in batch]
        for job in {item.job for item in batch}:
            job.inference_seconds += seconds
        longest, rows = next_of(self._engine.lengths, max(sizes)), next_of(self._engine.rows, len(sizes))
        self._work.account(sizes, longest * rows - sum(sizes), seconds)

    def _wanted(self, batch: list[Item]) -> list[Item]:
        """The inputs without those whose request has ended since they left the queue."""
        for item in batch:
            if item.job.future.done() and item.job.dropped:
                self.queue.metrics.drop(item.job.dropped, 1)
        return [item for item in batch if not item.job.future.done()]


def _now() -> float:
    return asyncio.get_running_loop().time()
