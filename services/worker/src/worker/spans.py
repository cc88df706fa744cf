"""Spans of a request that the batcher computes together with others, while traces are on."""

import asyncio
from collections.abc import Sequence

from warmstart.traces import now
from worker.jobs import Item, Job
from worker.work import Work


def note_pass(batch: Sequence[Item], seconds: float, work: Work) -> None:
    """Note a pass that has just ended, for each request with a text in it.

    Each has a span `inference`. The first one's is linked to all the others, and theirs are linked to it.
    """
    if not now.on():
        return
    jobs = [job for job in dict.fromkeys(item.job for item in batch) if job.span]
    about = {
        "batch.requests": len(jobs),
        f"batch.{work.inputs}": len(batch),
        f"batch.{work.sizes}": sum(len(item.ids) for item in batch),
    }
    shared = [job.span for job in jobs[1:] if job.span]
    for job in jobs:
        if not job.inference_seconds:
            _note_wait(job, ago=seconds)
        made = job.span and now.note("inference", job.span, seconds, attributes=about, links=shared)
        if job is jobs[0]:
            shared = [made] if made else []


def note_drop(job: Job, why: str) -> None:
    """Note the wait of a request that leaves the queue before any of its texts was computed."""
    if not job.inference_seconds:
        _note_wait(job, dropped=why)


def _note_wait(job: Job, *, ago: float = 0, **more: str) -> None:
    if job.span:
        waited = asyncio.get_running_loop().time() - job.arrived - ago
        now.note("queue", job.span, max(0.0, waited), ago=ago, attributes={"queue.lane": job.lane, **more})
