"""Embeds documents for each model: for the one that searches use, and as well as it can for the other one."""

import asyncio
from collections.abc import Sequence

from fastapi import Request

from api.embedder import Embedded, Embedder
from api.embedders import embedders_of
from api.embedding import Field
from api.metrics import LEFT_TO_REINDEX
from api.store.documents import Vectors
from contract.lane import Lane
from contract.prompts import DOCUMENT
from warmstart.errors import ServiceError

LATER = 1.0  # seconds that the other model may take longer


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
            if late := await _in_time(other):
                vectors[late.model.space] = late.embeddings
            else:
                LEFT_TO_REINDEX.inc(len(texts))
        return embedded, vectors
    finally:
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def _in_time(other: asyncio.Task[Embedded]) -> Embedded | None:
    try:
        async with asyncio.timeout(LATER):
            return await other
    except (ServiceError, TimeoutError):
        return None
