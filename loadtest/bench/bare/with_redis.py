"""The bare route with the api's own look-up of the texts in an empty Redis: the least work of a hit."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256

from fastapi import FastAPI, Request, Response
from redis.asyncio import Redis

from api.lookups import Lookups
from loadtest.bench.bare.main import EmbeddingRequest, embeddings


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open one client."""
    async with Redis.from_url(os.environ["REDIS_URL"]) as client:
        app.state.lookups = Lookups(client.mget, timeout=1)
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/v1/embeddings")
async def embeddings_after_a_lookup(request: Request, body: EmbeddingRequest) -> Response:
    """The ready answer for so many texts."""
    texts = [body.input] if isinstance(body.input, str) else body.input
    await request.app.state.lookups.get([sha256(str(text).encode()).digest() for text in texts])
    return await embeddings(body)
