"""The queue for inference: bounded in tokens, served in turns, and left by requests that can't use an answer."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from warmstart.errors import DeadlineExceeded
from worker import metrics
from worker.admission import OLDEST, Admission, Demand
from worker.jobs import Item, Job


class TokenQueue:
    """Used on the event loop only. `admission` decides which requests may join it."""

    def __init__(self, admission: Admission) -> None:
        self.waiting_tokens = 0
        self._batch_tokens = 0  # tokens of the batch that is being computed
        self._admission = admission
        self._oldest: deque[Job] = deque()  # in the order of their arrival
        self._turns: deque[Job] = deque()  # in the order of their turns
        self._arrived = asyncio.Event()

    @contextmanager
    def reserve(self, demand: Demand, seconds: float) -> Iterator[None]:
        """Hold room for a request that is being tokenized and has so many `seconds` left.

        Raises what `Admission.check` raises: a request that might expire in the queue is refused while its caller can
        still go elsewhere.
        """
        self._admission.check(demand, seconds, waiting=self.waiting_tokens, running=self._batch_tokens)
        self._count(demand.tokens)
        try:
            yield
        finally:
            self._count(-demand.tokens)

    def put(self, job: Job) -> None:
        """Let a job wait for its turn."""
        self._oldest.append(job)
        self._turns.append(job)
        self._count(job.waiting_tokens)
        self._arrived.set()

    def drop(self, job: Job, why: str) -> None:
        """Take the waiting texts of a job out of the queue."""
        metrics.DROPPED.labels(why).inc(len(job.inputs) - job.taken)
        self._count(-job.waiting_tokens)
        job.taken, job.waiting_tokens, job.dropped = len(job.inputs), 0, why

    async def get(self, budget: int) -> list[Item]:
        """The next texts, up to `budget` tokens but at least one; waits only while the queue is empty.

        A call means that the texts of the previous batch have been computed.
        """
        self._batch_tokens = 0
        while not (items := self._take(budget)):
            self._arrived.clear()
            await self._arrived.wait()
        self._batch_tokens = sum(len(item.ids) for item in items)
        return items

    def _take(self, budget: int) -> list[Item]:
        """Fill most of a batch from the jobs that have waited longest, the rest with one text of each job in turn.

        The turns keep a large request from blocking small ones. With turns alone, all requests of one size would end
        late: at ten times the capacity, p99 was 2.5 times the time of a full queue.
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
