"""Classifies the embeddings of a request with the predictor of the worker that made them."""

import asyncio
from collections.abc import Sequence
from time import perf_counter

from fastapi import Request

from api.embedder import Embedded, Embedder
from api.embedding import Embedding
from api.predictors import Predicted
from contract.lane import Lane
from warmstart.http.deadline import remaining
from warmstart.http.disconnect import unless_disconnected


async def classify(
    request: Request,
    embedder: Embedder,
    embedded: Embedded,
    lane: Lane | None,
    *,
    places: Sequence[int] | None = None,
    waits: bool = True,
) -> Predicted:
    """Label what was embedded, or some `places` of it, within the request's time budget; notes how long it took.

    Raises NoPredictor, OtherPredictor, PayloadTooLarge, Overloaded, DeadlineExceeded, DependencyUnavailable, or
    ClientGone.
    """
    worker, began = embedder.worker, perf_counter()
    if why := worker.patience.away or embedder.worker_failure:
        worker.patience.check(why, waiting=0)
    chosen: Sequence[Embedding] = embedded.embeddings
    if places is not None:
        chosen = [chosen[place] for place in places]
    ends = asyncio.get_running_loop().time() + remaining(request)
    work = worker.predictors.classify(chosen, embedded.model.space, ends, lane, waits=waits)
    try:
        return await unless_disconnected(request, work)
    finally:
        embedded.timings["classify"] = perf_counter() - began
