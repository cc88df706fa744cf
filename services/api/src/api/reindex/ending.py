"""`finish` and `abandon`: one space stays, the other one is dropped with its vectors."""

from api.reindex.job import Job, name_of
from api.store import replacement
from api.store.replacement import Replacement, ReplacementError


async def finish(job: Job, lacking: int = 0) -> None:
    """Drop the old space. Raises ReplacementError while searches use it, or WORKER_URL doesn't serve the new model."""
    under_way = await job.needed()
    if under_way.served != under_way.new:
        raise ReplacementError(f"searches use {name_of(under_way, under_way.old)}: cut-over comes first, or abandon")
    await _end(job, under_way, lacking)


async def abandon(job: Job, lacking: int = 0) -> None:
    """Drop the new space. Raises ReplacementError while searches use it, or WORKER_URL doesn't serve the old model."""
    under_way = await job.needed()
    if under_way.served != under_way.old:
        raise ReplacementError(f"searches use {name_of(under_way, under_way.new)}: roll-back comes first, or finish")
    await _end(job, under_way, lacking)


async def _end(job: Job, under_way: Replacement, lacking: int) -> None:
    """Afterwards the api asks the worker at WORKER_URL alone: it must be the right one."""
    stays, goes = name_of(under_way, under_way.served), name_of(under_way, under_way.other)
    model = await job.worker.outlast(job.workers.serving, job.patience)
    if model.space != under_way.served:
        raise ReplacementError(
            f"the worker at {job.settings.worker_url} serves {model.model}: replace it by one of {stays} first"
        )
    keep = under_way.served
    await job.postgres.outlast(lambda: replacement.end(job.engine, keep, lacking=lacking), job.patience)
    job.output.line(f"{stays} is served; the vectors of {goes} are gone")
