"""`prepare`: begin to replace the model, embed all documents for the new one, and compare both."""

from collections.abc import Sequence

from api.reindex import comparison
from api.reindex.comparison import Compared
from api.reindex.job import Job, name_of
from api.reindex.skipped import Skipped
from api.store import backfill, replacement
from api.store.backfill import Found
from api.store.replacement import Replacement
from contract.prompts import QUERY
from warmstart.errors import DependencyUnavailable


async def prepare(job: Job, samples: int, lines: Sequence[str] | None) -> None:
    """Bring all documents into the new space, and tell what a person must know to decide.

    Args:
        job: what it needs.
        samples: number of documents whose first sentences are queries.
        lines: queries to compare with instead.

    Raises:
        ReplacementError: another replacement is under way, or this one ends meanwhile.
        DependencyUnavailable: what it needs to begin stays away.
    """
    under_way = await job.under_way() or await _begin(job)
    old, new = name_of(under_way, under_way.old), name_of(under_way, under_way.new)
    job.output.line(f"{new} replaces {old}; searches use {name_of(under_way, under_way.served)}")
    await job.worker.outlast(lambda: job.workers.of(under_way.new, new), job.patience)
    await job.fill(under_way, under_way.new)
    await _compare(job, under_way, samples, lines)


async def _begin(job: Job) -> Replacement:
    old = await job.worker.outlast(job.workers.serving, job.patience)
    new = await job.worker.outlast(job.workers.following, job.patience)
    return await job.postgres.outlast(lambda: replacement.begin(job.engine, old, new), job.patience)


async def _compare(job: Job, under_way: Replacement, samples: int, lines: Sequence[str] | None) -> None:
    """Compare, as long as there are workers of both models."""
    documents = await job.postgres.outlast(lambda: backfill.sample(job.engine, max(samples, comparison.BEST + 1)))
    if len(documents) <= comparison.BEST:
        job.output.line(f"Nothing is compared: a search for {comparison.BEST} finds all documents")
        return
    queries, kind = comparison.from_documents(documents[:samples]) if lines is None else comparison.from_lines(lines)
    found: list[dict[str, list[str]]] = []
    for space in (under_way.old, under_way.new):
        try:
            found.append(await _found(job, under_way, space, queries))
        except DependencyUnavailable as error:
            job.output.line(f"Nothing is compared: {error.message}")
            return
    old, new = found
    compared = [Compared(name, ids, new[name]) for name, ids in old.items() if name in new]
    if compared:
        names = name_of(under_way, under_way.old), name_of(under_way, under_way.new)
        comparison.tell(job.output, compared, names, kind)
    else:
        job.output.line("Nothing is compared: there is no query")


async def _found(job: Job, under_way: Replacement, space: str, queries: Sequence[Found]) -> dict[str, list[str]]:
    await job.workers.of(space, name_of(under_way, space))
    embedded = await job.embedder(under_way, space, QUERY, Skipped()).embed(queries)
    vectors = {query.id: vector for query, vector in embedded}
    return await job.postgres.outlast(lambda: comparison.find(job.engine, space, vectors))
