"""Embeds documents for each model: for the one that searches use, and as well as it can for the other one."""

import asyncio
from collections.abc import Sequence

from fastapi import Request

from api.embedder import Embedded, Embedder
from api.embedders import embedders_of, replacement_of
from api.embedding import Field
from api.metrics import LEFT_TO_REINDEX
from api.store.documents import Vectors
from contract.lane import Lane
from contract.prompts import DOCUMENT
from warmstart.errors import ServiceError
from warmstart.http.deadline import remaining

LATER = 1.0  # seconds that the other model may take longer, or half of what is left of the request's time budget


async def for_each_model(
    request: Request, embedder: Embedder, texts: Sequence[str], field: Field, lane: Lane
) -> tuple[Embedded, Vectors]:
    """What `embedder`, which searches use, made of the texts, and the vectors by space, its own first.

    A document without a vector of the other model is stored all the same: `api.reindex` embeds it later. Raises what
    `Embedder.embed` raises.
    """
    space = embedder.model.space
    others = [
        asyncio.create_task(each.embed(texts, field, lane, DOCUMENT))
        for each in embedders_of(request)
        if each.model.space != space
    ]
    try:
        embedded = await embedder.embed(texts, field, lane, DOCUMENT)
        vectors = {embedded.model.space: embedded.embeddings}
        for other in others:
            if late := await _within(min(LATER, remaining(request) / 2), other):
                vectors[late.model.space] = late.embeddings
        if replacement_of(request) and len(vectors) == 1:
            LEFT_TO_REINDEX.inc(len(texts))
        return embedded, vectors
    finally:
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def _within(seconds: float, other: asyncio.Task[Embedded]) -> Embedded | None:
    try:
        async with asyncio.timeout(seconds):
            return await other
    except (ServiceError, TimeoutError):
        return None
