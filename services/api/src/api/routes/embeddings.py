"""`POST /v1/embeddings`, as OpenAI's clients call it."""

from collections.abc import Iterator
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from api.admission import admit
from api.embedder import Embedded
from api.embedders import embedders_of
from api.embedding import Field, Item
from api.metrics import STAGES
from api.pieces import PiecesAnswer, in_turns
from api.prompts import asked_prompt
from api.routes.models import named
from api.schemas.embeddings import SEND_TEXTS, EmbeddingList, EmbeddingRequest
from api.settings import ApiSettings
from contract import lane, prompts
from warmstart.errors import BadRequest, DependencyUnavailable
from warmstart.http.errors import error_responses

router = APIRouter(tags=["embeddings"])

PIECE = 64  # vectors, written in 1 ms
ONE, MANY = Field("input", "input"), Field("input", "input.{}")

# Clients make ids of OpenAI's vocabulary by themselves. In this model's vocabulary they are other words: the vector
# of "hello world" read that way has a cosine of 0.17 to its own.
TEXTS_ONLY = (
    "input must be a string or a list of strings, not token ids: those of another model's vocabulary would be read as "
    f"other words. {SEND_TEXTS}. Ids of this model's own vocabulary are taken where the server runs with TOKEN_IDS=1"
)


@router.post(
    "/embeddings",
    response_class=Response,
    responses={200: {"model": EmbeddingList}, **error_responses(404, 413, 429)},
    openapi_extra={"parameters": [lane.PARAMETER, prompts.PARAMETER]},
)
async def create_embeddings(request: Request, body: EmbeddingRequest) -> Response:
    """Embed one text, texts, or token ids. A large call is bulk unless it asks.

    Before each text goes the prompt that the header `X-Prompt` or else `input_type` names, or the model's default one.
    """
    asked = lane.asked(request.headers)
    embedder = named(embedders_of(request), body.model)
    model = embedder.model
    if body.dimensions not in (None, model.dimensions):
        raise BadRequest(
            f"dimensions: {model.model} has {model.dimensions} and can't be cut",
            param="dimensions",
            code="unsupported",
        )
    items, field = _items(body.input)
    _check(items, request.app.state.settings)
    prompt = asked_prompt(request.headers, body.input_type, model, items)

    await admit(request, items, field, model)
    embedded = await embedder.embed(items, field, asked, prompt)
    if embedded.model.model != model.model:  # the call names the other one, and was checked against that
        raise DependencyUnavailable("worker", "its model changed during the call")
    STAGES.observe(embedded.timings)
    headers = {"Server-Timing": embedded.timings.header()}
    written = _written(embedded, base64=body.encoding_format == "base64")
    if len(embedded.embeddings) <= PIECE:
        content = b"".join(written)
    elif request.scope["http_version"] == "1.0":  # which has no chunks
        content = b"".join([piece async for piece in in_turns(written)])
    else:
        return PiecesAnswer(request, written, headers)
    return Response(content, 200, headers, "application/json")


def _check(items: list[Item], settings: ApiSettings) -> None:
    """Raise BadRequest for token ids without TOKEN_IDS, or for more inputs than one call may have."""
    if not (settings.token_ids or isinstance(items[0], str)):
        raise BadRequest(TEXTS_ONLY, param="input", code="token_ids_not_accepted")
    if len(items) > settings.max_inputs:
        raise BadRequest(
            f"input must have at most {settings.max_inputs} items, not {len(items)}",
            param="input",
            code="too_many_inputs",
        )


def _items(value: Any) -> tuple[list[Item], Field]:
    """The inputs as a list, and their names in the request: a single input needs no list around it."""
    if isinstance(value, str):
        return [value], ONE
    if isinstance(value[0], int):
        return [tuple(value)], ONE
    return [each if isinstance(each, str) else tuple(each) for each in value], MANY


def _written(embedded: Embedded, *, base64: bool) -> Iterator[bytes]:
    """Write the answer's JSON in pieces.

    orjson writes floats as float64: 11 µs and 8.0 KB a vector. Nine digits, enough for a float32, would be 5.2 KB, but
    take 55 µs of the event loop without numpy, and numpy would add 73 MB to the image. A client that needs small
    answers asks for base64 (2 KB), as OpenAI's client does by default.
    """
    yield b'{"object":"list","data":['
    for first in range(0, len(embedded.embeddings), PIECE):
        data = [
            {"object": "embedding", "index": index, "embedding": each.base64() if base64 else each.floats()}
            for index, each in enumerate(embedded.embeddings[first : first + PIECE], first)
        ]
        yield (b"," if first else b"") + orjson.dumps(data)[1:-1]
    usage = {"prompt_tokens": embedded.tokens, "total_tokens": embedded.tokens}
    yield b"]," + orjson.dumps({"model": embedded.model.model, "usage": usage})[1:]
