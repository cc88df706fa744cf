"""The limit of the api's cache hits: one POST route that validates the same body and returns as many bytes.

The vectors are made up, and the answers for 1 and for 32 texts are ready as bytes: no Redis, no JSON writing, no
authentication, no metrics, no log.
"""

from functools import cache
from typing import Literal

import numpy as np
import orjson
from fastapi import FastAPI, Response
from pydantic import BaseModel, ConfigDict, Field

DIMENSIONS = 384

app = FastAPI()


class EmbeddingRequest(BaseModel):
    """The fields of the api's `POST /v1/embeddings`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    input: str | list[str] | list[int] | list[list[int]] = Field(min_length=1)
    model: str
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = None


@app.post("/v1/embeddings")
async def embeddings(body: EmbeddingRequest) -> Response:
    """The ready answer for so many texts."""
    return Response(_content(1 if isinstance(body.input, str) else len(body.input)), media_type="application/json")


@cache
def _content(texts: int) -> bytes:
    rows = np.random.default_rng(0).standard_normal((texts, DIMENSIONS)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    # Float32 written as float64, as the api writes cached vectors.
    data = [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows.tolist())]
    usage = {"prompt_tokens": 20 * texts, "total_tokens": 20 * texts}
    return orjson.dumps({"object": "list", "data": data, "model": "all-MiniLM-L6-v2", "usage": usage})
