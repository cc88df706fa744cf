"""Vectors as JSON or as bytes, with the headers that describe them."""

from typing import Any

import numpy as np
import orjson
from fastapi import Response

from contract.answer import BINARY, HEADERS, Description
from contract.model import ModelInfo
from worker.model import Embedded

DOCUMENTED: dict[str, Any] = {
    "description": f"Unit vectors; `Accept: {BINARY}` gives rows of little-endian float32",
    "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in HEADERS.items()},
    "content": {BINARY: {"schema": {"type": "string", "format": "binary"}}},
}


def answer(embedded: Embedded, info: ModelInfo, accept: str) -> Response:
    """The answer in the form that the `Accept` header asks for."""
    tokens, timings, dimensions = embedded.token_counts, embedded.timings, embedded.rows.shape[1]
    headers = Description(info.model, info.fingerprint, info.space, dimensions, tokens, timings).headers()
    if BINARY in accept:
        return Response(np.asarray(embedded.rows, "<f4").tobytes(), media_type=BINARY, headers=headers)
    # Directly from the array: to validate each float again would take longer than the model.
    body = {
        "embeddings": embedded.rows,
        "model": info.model,
        "fingerprint": info.fingerprint,
        "space": info.space,
        "dimensions": dimensions,
        "prompt_tokens": sum(tokens),
    }
    content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(content, media_type="application/json", headers=headers)
