"""`cut-over` and `roll-back`: let searches use a space, once every document has a vector in it."""

import sys

from api.reindex.job import Job, name_of
from api.store import replacement
from api.store.replacement import Replacement, ReplacementError

ROUNDS = 20  # of filling and looking: a round is short, and writers that know both spaces leave nothing to do


async def cut_over(job: Job, lacking: int) -> None:
    """Let searches use the new space; at most `lacking` documents may have no vector in it.

    Raises ReplacementError when there are more, or nothing is under way, and DependencyUnavailable.
    """
    under_way = await job.needed()
    await _serve(job, under_way, under_way.new, lacking)


async def roll_back(job: Job, lacking: int, *, at_once: bool) -> None:
    """The same with the old space; `at_once` without filling it, however many documents it lacks."""
    under_way = await job.needed()
    if not at_once:
        await _serve(job, under_way, under_way.old, lacking)
        return
    await _served(job, under_way, under_way.old)
    missing = await _try(job, under_way.old, sys.maxsize)
    _tell(job, under_way, under_way.old, missing)


async def _serve(job: Job, under_way: Replacement, space: str, lacking: int) -> None:
    name = name_of(under_way, space)
    await _served(job, under_way, space)
    for _ in range(ROUNDS):
        await job.fill(under_way, space)
        missing = await _try(job, space, lacking)
        if missing <= lacking:
            _tell(job, under_way, space, missing)
            return
        if missing <= await job.skipped[space].review(job.engine, space, job.postgres):
            raise ReplacementError(
                f"{missing} documents have no vector in the space of {name}, and searches would not find them;"
                f" with --lacking {missing} it is done all the same"
            )
    raise ReplacementError(
        f"documents without a vector in the space of {name} are stored faster than they are embedded:"
        " is an api of an earlier version running, or one with another NEXT_WORKER_URL?"
    )


async def _served(job: Job, under_way: Replacement, space: str) -> None:
    """Without workers of the space, each search would fail."""
    name = name_of(under_way, space)
    await job.worker.outlast(lambda: job.workers.of(space, name), job.patience)


async def _try(job: Job, space: str, lacking: int) -> int:
    return await job.postgres.outlast(lambda: replacement.serve(job.engine, space, lacking=lacking), job.patience)


def _tell(job: Job, under_way: Replacement, space: str, missing: int) -> None:
    without = f"; {missing:,} documents have no vector there, and are not found" if missing else ""
    job.output.line(f"Searches use {name_of(under_way, space)}{without}")
