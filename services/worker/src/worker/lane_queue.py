"""The calls that wait in one lane: served in turns, and left by those that can't use an answer."""

import asyncio
from collections import deque

from contract.lane import Lane
from warmstart.errors import DeadlineExceeded
from worker import spans
from worker.admission import OLDEST
from worker.jobs import Item, Job
from worker.metrics import QUEUE, QueueMetrics


class LaneQueue:
    """Used on the event loop only. `tokens` are those that wait, with those that have a place reserved."""

    def __init__(self, lane: Lane, metrics: QueueMetrics = QUEUE) -> None:
        self.tokens = 0
        self._oldest: deque[Job] = deque()  # in the order of their arrival
        self._turns: deque[Job] = deque()  # in the order of their turns
        self._texts = 0
        self._metrics = metrics
        self._token_gauge, self._text_gauge, self._seconds = (
            metrics.sizes[lane],
            metrics.inputs[lane],
            metrics.seconds[lane],
        )

    def put(self, job: Job) -> None:
        """Let a job wait for its turn."""
        self._oldest.append(job)
        self._turns.append(job)
        self.count(job.waiting_tokens, len(job.inputs))

    def drop(self, job: Job, why: str) -> None:
        """Take the waiting texts of a job out of the queue."""
        texts = len(job.inputs) - job.taken
        self._metrics.drop(why, texts)
        spans.note_drop(job, why)
        self.count(-job.waiting_tokens, -texts)
        job.taken, job.waiting_tokens, job.dropped = len(job.inputs), 0, why

    def take(self, budget: int) -> list[Item]:
        """The next texts, up to `budget` tokens but at least one; none when nothing waits.

        Most of them are of the jobs that have waited longest, the rest one text of each job in turn. The turns keep a
        large request from blocking small ones. With turns alone, all requests of one size would end late: at ten times
        the capacity, p99 was 2.5 times the time of a full queue.
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

    def count(self, tokens: int, texts: int) -> None:
        """So many more tokens wait, in so many texts."""
        self.tokens += tokens
        self._texts += texts
        self._token_gauge.set(self.tokens)
        self._text_gauge.set(self._texts)

    def _first(self, jobs: deque[Job]) -> Job | None:
        while jobs and self._is_over(jobs[0]):
            jobs.popleft()
        return jobs[0] if jobs else None

    def _next(self, job: Job) -> Item:
        if not job.taken:
            self._seconds.observe(asyncio.get_running_loop().time() - job.arrived)
        item = Item(job, job.taken)
        job.waiting_tokens -= job.next_size
        self.count(-job.next_size, -1)
        job.taken += 1
        return item

    def _is_over(self, job: Job) -> bool:
        if job.taken < len(job.inputs) and job.deadline <= asyncio.get_running_loop().time():
            self.drop(job, "expired")
            job.fail(DeadlineExceeded("the request's time budget was spent in the queue"))
        return job.taken == len(job.inputs)
