"""Vectors as JSON or as bytes, with the headers that describe them."""

from typing import Any

import numpy as np
import orjson
from fastapi import Response

from worker.model import Embedded
from worker.schemas import ModelInfo

BINARY = "application/octet-stream"

_HEADERS = {
    "X-Model": "name of the model",
    "X-Model-Fingerprint": "hex sha256 over weights, tokenizer, pooling, engine and precision",
    "X-Dimensions": "length of a vector",
    "X-Prompt-Tokens": "tokens of all texts, special tokens included, after truncation",
    "X-Text-Tokens": "the same for each text, comma-separated",
    "Server-Timing": "milliseconds of the stages tokenize, queue and inference",
}

DOCUMENTED: dict[str, Any] = {
    "description": f"Unit vectors; `Accept: {BINARY}` gives rows of little-endian float32",
    "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()},
    "content": {BINARY: {"schema": {"type": "string", "format": "binary"}}},
}


def answer(embedded: Embedded, info: ModelInfo, accept: str) -> Response:
    """The answer in the form that the `Accept` header asks for."""
    total = sum(embedded.token_counts)
    headers = {
        "X-Model": info.model,
        "X-Model-Fingerprint": info.fingerprint,
        "X-Dimensions": str(info.dimensions),
        "X-Prompt-Tokens": str(total),
        "X-Text-Tokens": ",".join(map(str, embedded.token_counts)),
        "Server-Timing": embedded.timings.header(),
    }
    if BINARY in accept:
        return Response(np.asarray(embedded.rows, "<f4").tobytes(), media_type=BINARY, headers=headers)
    # Straight from the array: validating each float once more would take longer than the model.
    body = {
        "embeddings": embedded.rows,
        "model": info.model,
        "dimensions": info.dimensions,
        "prompt_tokens": total,
    }
    content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(content, media_type="application/json", headers=headers)
