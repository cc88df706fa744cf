"""`POST /v1/embeddings`, as OpenAI's clients call it."""

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from api.admission import admit
from api.dependencies import embedder_of
from api.embedder import Embedded
from api.embedding import Item
from api.routes.models import served_model
from api.schemas.embeddings import EmbeddingList, EmbeddingRequest
from servicekit.errors import BadRequest, error_responses

router = APIRouter(tags=["embeddings"])


@router.post(
    "/embeddings",
    response_class=Response,
    responses={200: {"model": EmbeddingList}, **error_responses(404, 429)},
)
async def create_embeddings(request: Request, body: EmbeddingRequest) -> Response:
    """Embed one text, texts, or token ids."""
    embedder = embedder_of(request)
    model = served_model(embedder.identity, body.model)
    if body.dimensions not in (None, model.dimensions):
        raise BadRequest(
            f"dimensions: {model.id} has {model.dimensions} and can't be cut",
            param="dimensions",
            code="unsupported",
        )
    items, single = _items(body.input)

    def field(index: int) -> str:
        return "input" if single else f"input.{index}"

    admit(request, items, field)
    embedded = await embedder.embed(items, field)
    headers = {"Server-Timing": embedded.timings.header()}
    return Response(_encode(embedded, base64=body.encoding_format == "base64"), 200, headers, "application/json")


def _items(value: Any) -> tuple[list[Item], bool]:
    """The inputs as a list, and whether the caller gave one without a list around it."""
    if isinstance(value, str):
        return [value], True
    if isinstance(value[0], int):
        return [tuple(value)], True
    return [each if isinstance(each, str) else tuple(each) for each in value], False


def _encode(embedded: Embedded, *, base64: bool) -> bytes:
    """The answer's JSON.

    Floats are written by orjson as float64: 11 µs and 8.0 KB a vector. Nine digits, enough for a float32,
    would be 5.2 KB but take 55 µs of the event loop without numpy, and numpy is 73 MB of image. Who minds the
    size asks for base64 (2 KB), as OpenAI's client does by default.
    """
    data = [
        {"object": "embedding", "index": index, "embedding": each.base64() if base64 else each.floats()}
        for index, each in enumerate(embedded.embeddings)
    ]
    usage = {"prompt_tokens": embedded.tokens, "total_tokens": embedded.tokens}
    return orjson.dumps({"object": "list", "data": data, "model": embedded.identity.model, "usage": usage})
