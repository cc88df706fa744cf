"""The queue for inference: two lanes, bounded in tokens."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from contract.lane import Lane
from warmstart.errors import Overloaded, PayloadTooLarge
from worker.admission import Admission, Ahead, Demand
from worker.jobs import Item, Job
from worker.lane_queue import LaneQueue
from worker.metrics import QUEUE, QueueMetrics
from worker.turns import BULK_SHARE, Turns


class TokenQueue:
    """Used on the event loop only. `admission` decides which requests may join it."""

    def __init__(self, admission: Admission, metrics: QueueMetrics = QUEUE) -> None:
        self.admission = admission
        self.metrics = metrics
        self._interactive, self._bulk = LaneQueue(Lane.INTERACTIVE, metrics), LaneQueue(Lane.BULK, metrics)
        self._lanes = {Lane.INTERACTIVE: self._interactive, Lane.BULK: self._bulk}
        self._taken = dict.fromkeys(Lane, 0)  # tokens that have left the queue for a pass that has not begun
        self._pass = 0  # tokens of the pass under way
        self.turns = Turns()
        self._arrived = asyncio.Event()

    @property
    def waiting_tokens(self) -> int:
        """Tokens of both lanes."""
        return self._interactive.tokens + self._bulk.tokens

    @contextmanager
    def reserve(self, demand: Demand, seconds: float) -> Iterator[None]:
        """Hold room for a request that is being tokenized and has so many `seconds` left.

        Raises what `Admission.check` raises: a request that might expire in the queue is refused while its caller can
        still go elsewhere.
        """
        try:
            self.admission.check(demand, seconds, self._before(demand.lane))
        except (Overloaded, PayloadTooLarge):
            self.metrics.refused[demand.lane].inc()
            raise
        lane = self._lanes[demand.lane]
        lane.count(demand.tokens, demand.texts)
        try:
            yield
        finally:
            lane.count(-demand.tokens, -demand.texts)

    def _before(self, lane: Lane) -> Ahead:
        """What a request of a lane waits for, and the share of the speed that this lane can count on.

        An interactive request waits for no bulk texts but those of the pass under way, and has what bulk can't claim. A
        bulk request waits for all, and has what interactive texts have left of late.
        """
        interactive, bulk = self._taken[Lane.INTERACTIVE], self._taken[Lane.BULK]
        if lane is Lane.INTERACTIVE:
            share = 1 - BULK_SHARE if self._bulk.tokens or bulk else 1.0
            return Ahead(self._interactive.tokens, taken=interactive, running=self._pass, share=share)
        share = self.turns.share_of_bulk(asyncio.get_running_loop().time())
        return Ahead(self.waiting_tokens, taken=interactive + bulk, running=self._pass, share=share)

    def put(self, job: Job) -> None:
        """Let a job wait for its turn."""
        self._lanes[job.lane].put(job)
        self._arrived.set()

    def drop(self, job: Job, why: str) -> None:
        """Take the waiting texts of a job out of the queue."""
        self._lanes[job.lane].drop(job, why)

    async def get(self, budget: int) -> list[Item]:
        """The next batch, of one lane: up to `budget` tokens but at least one text; waits while the queue is empty.

        A batch is of bulk texts if any wait: interactive texts `go_first` before each of its passes.
        """
        while not (items := self._bulk.take(budget) or self._interactive.take(budget)):
            self._arrived.clear()
            await self._arrived.wait()
        return self._take(items)

    async def comes(self, seconds: float) -> bool:
        """Whether a text waits, or comes within so many seconds."""
        if not self.waiting_tokens:
            self._arrived.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), seconds)
        return self.waiting_tokens > 0

    def go_first(self, budget: int) -> list[Item]:
        """Interactive texts to be computed before a pass of bulk texts, up to a batch; none when none wait."""
        return self._take(self._interactive.take(budget))

    @contextmanager
    def computing(self, batch: list[Item]) -> Iterator[None]:
        """Count these texts as the pass under way. All texts that are taken from the queue go through here."""
        self._pass = _tokens(batch)
        self._taken[batch[0].job.lane] -= self._pass
        try:
            yield
        finally:
            self._pass = 0

    def _take(self, items: list[Item]) -> list[Item]:
        for item in items:
            self._taken[item.job.lane] += len(item.ids)
        return items


def _tokens(items: list[Item]) -> int:
    return sum(len(item.ids) for item in items)
