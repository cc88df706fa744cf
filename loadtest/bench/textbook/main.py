"""The service of the FastAPI tutorials: the model in a blocking lifespan, `asyncio.to_thread(model.encode, texts)`.

    gunicorn main:app -k uvicorn_worker.UvicornWorker

Nothing here is tuned, for better or worse: a reader of a tutorial runs the same.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field
from sentence_transformers import SentenceTransformer

EMBEDDING_MODEL = os.environ.get("EMBEDDING_MODEL", "sentence-transformers/all-MiniLM-L6-v2")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the model before the first request."""
    app.state.embedding_model = await asyncio.to_thread(SentenceTransformer, EMBEDDING_MODEL)
    app.state.ready = True
    yield
    del app.state.embedding_model


app = FastAPI(lifespan=lifespan)


class EmbedRequest(BaseModel):
    texts: list[str] = Field(..., min_length=1, max_length=100)


class EmbedResponse(BaseModel):
    embeddings: list[list[float]]
    model: str
    dimensions: int


@app.post("/embeddings/", response_model=EmbedResponse)
async def embed(req: EmbedRequest, request: Request) -> EmbedResponse:
    """One vector for each text."""
    model = request.app.state.embedding_model
    vectors = await asyncio.to_thread(model.encode, req.texts)
    return EmbedResponse(
        embeddings=[vector.tolist() for vector in vectors],
        model=EMBEDDING_MODEL,
        dimensions=len(vectors[0]),
    )
