"""What waits for inference: bounded in tokens, served in turns, left by those who can't use an answer."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from servicekit.errors import DeadlineExceeded, Overloaded
from worker import metrics
from worker.jobs import Item, Job
from worker.speed import Speed

OLDEST = 0.75  # share of a batch that is for who has waited longest
CERTAIN = 0.8  # share of the measured speed that is left while ten times the capacity is being refused


class TokenQueue:
    """Used on the event loop only. `limit` is in tokens; `speed` tells a refused caller when to return."""

    def __init__(self, limit: int, speed: Speed) -> None:
        self.waiting_tokens = 0
        self._batch_tokens = 0  # of the batch that is being computed
        self._limit = limit
        self._speed = speed
        self._oldest: deque[Job] = deque()  # in the order of their arrival
        self._turns: deque[Job] = deque()  # the one whose turn is next comes first
        self._arrived = asyncio.Event()

    @contextmanager
    def reserve(self, tokens: int, seconds: float) -> Iterator[None]:
        """Hold room for a request that is being tokenized and has so many `seconds` left.

        Raises Overloaded when there is no room, or when the request might expire in the queue: it is refused while its
        caller can still go elsewhere. At the latest it ends as if `OLDEST` of the `CERTAIN` speed were all there is. An
        empty queue takes any request: one that is larger than the limit would otherwise never be served.
        """
        full = self.waiting_tokens + tokens > self._limit
        latest = self._speed.seconds_for(self._batch_tokens + self.waiting_tokens + tokens) / (OLDEST * CERTAIN)
        if self.waiting_tokens and (full or latest > seconds):
            metrics.REFUSED.inc()
            bound = f"the limit is {self._limit}" if full else f"it may take {latest:.1f} s of the {seconds:.1f} s left"
            wait = self._speed.seconds_for(self.waiting_tokens)
            raise Overloaded(f"{self.waiting_tokens} tokens wait already; {bound}", retry_after=wait)
        self._count(tokens)
        try:
            yield
        finally:
            self._count(-tokens)

    def put(self, job: Job) -> None:
        """Let a job wait for its turn."""
        self._oldest.append(job)
        self._turns.append(job)
        self._count(job.waiting_tokens)
        self._arrived.set()

    def drop(self, job: Job, why: str) -> None:
        """Take out what still waits of a job."""
        metrics.DROPPED.labels(why).inc(len(job.inputs) - job.taken)
        self._count(-job.waiting_tokens)
        job.taken, job.waiting_tokens, job.dropped = len(job.inputs), 0, why

    async def get(self, budget: int) -> list[Item]:
        """The next texts, up to `budget` tokens but at least one; waits only while there is none.

        The texts before them have been computed by now.
        """
        self._batch_tokens = 0
        while not (items := self._take(budget)):
            self._arrived.clear()
            await self._arrived.wait()
        self._batch_tokens = sum(len(item.ids) for item in items)
        return items

    def _take(self, budget: int) -> list[Item]:
        """Most of a batch goes to who has waited longest, the rest one text of each job in turn.

        The turns keep a large request from holding up small ones. With turns alone, requests of one size would all end
        late: at ten times the capacity, p99 was 2.5 times what the queue held.
        """
        items: list[Item] = []
        share = int(budget * OLDEST)
        while (job := self._first(self._oldest)) and job.next_size <= share:
            share -= job.next_size
            budget -= job.next_size
            items.append(self._next(job))
        while (job := self._first(self._turns)) and (not items or job.next_size <= budget):
            budget -= job.next_size
            items.append(self._next(job))
            self._turns.rotate(-1)
        return items

    def _first(self, jobs: deque[Job]) -> Job | None:
        while jobs and self._is_over(jobs[0]):
            jobs.popleft()
        return jobs[0] if jobs else None

    def _next(self, job: Job) -> Item:
        item = Item(job, job.taken)
        job.waiting_tokens -= job.next_size
        self._count(-job.next_size)
        job.taken += 1
        return item

    def _is_over(self, job: Job) -> bool:
        if job.taken < len(job.inputs) and job.deadline <= asyncio.get_running_loop().time():
            self.drop(job, "expired")
            job.fail(DeadlineExceeded("the request's time budget was spent in the queue"))
        return job.taken == len(job.inputs)

    def _count(self, tokens: int) -> None:
        self.waiting_tokens += tokens
        metrics.QUEUE_TOKENS.set(self.waiting_tokens)
