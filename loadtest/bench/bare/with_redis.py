"""The bare route with what every cache must do besides: one look-up of the texts' keys in a Redis, for nothing."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256

from fastapi import FastAPI, Request, Response
from redis.asyncio import Redis

from loadtest.bench.bare.main import EmbeddingRequest, embeddings


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client."""
    async with Redis.from_url(os.environ["REDIS_URL"]) as app.state.redis:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/v1/embeddings")
async def embeddings_after_a_lookup(request: Request, body: EmbeddingRequest) -> Response:
    """The ready answer for that many texts."""
    texts = [body.input] if isinstance(body.input, str) else body.input
    await request.app.state.redis.mget([sha256(str(text).encode()).hexdigest() for text in texts])
    return await embeddings(body)
