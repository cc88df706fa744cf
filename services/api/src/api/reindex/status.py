"""`status`: what is under way, and what can be done next."""

from api.reindex.job import Job, name_of
from api.store import replacement
from api.store.replacement import Replacement
from warmstart.errors import DependencyUnavailable


async def status(job: Job) -> None:
    """Tell it in one block. Raises DependencyUnavailable when Postgres stays away."""
    under_way = await job.under_way()
    if not under_way:
        job.output.line("No model is being replaced")
        return
    old, new = name_of(under_way, under_way.old), name_of(under_way, under_way.new)
    job.output.line(f"{new} replaces {old}, since {under_way.since:%Y-%m-%d %H:%M %Z}")
    for space in (under_way.old, under_way.new):
        await _tell(job, under_way, space)
    job.output.line(f"  next: {_next(under_way)}")


async def _tell(job: Job, under_way: Replacement, space: str) -> None:
    name = name_of(under_way, space)
    lacking, total = await job.postgres.outlast(lambda: replacement.count(job.engine, space), job.patience)
    use = "searches use it" if space == under_way.served else "searches don't use it"
    job.output.line(f"  {name}: {total - lacking:,} of {total:,} documents have a vector; {use}")
    try:
        await job.workers.of(space, name)
    except DependencyUnavailable as error:
        job.output.line(f"    no worker: {error.reason}")


def _next(under_way: Replacement) -> str:
    if under_way.served == under_way.old:
        return "prepare, until all documents have a vector; cut-over; or abandon"
    return "replace the workers at WORKER_URL by those of the new model, then finish; or roll-back"
