"""The worker's two routes."""

import asyncio

from fastapi import APIRouter, Request, Response

from contract import call, lane
from contract.inputs import check_inputs
from contract.model import PATH, ModelInfo
from contract.prompts import FIELD
from warmstart.http.deadline import remaining
from warmstart.http.disconnect import unless_disconnected
from warmstart.http.errors import error_responses
from worker.answers import DOCUMENTED, answer
from worker.resources import LoadedModel
from worker.schemas import EmbeddingsRequest, EmbeddingsResponse

router = APIRouter()


@router.post(
    call.PATH,
    response_model=EmbeddingsResponse,
    responses={200: DOCUMENTED, **error_responses(413, 500, 503)},
    openapi_extra={"parameters": [lane.PARAMETER]},
)
async def embeddings(request: Request, body: EmbeddingsRequest, model: LoadedModel) -> Response:
    """One unit vector for each text, which the model sees behind the prompt, as all counts do."""
    info = model.info
    check_inputs(body.inputs, body.name, characters=info.max_text_characters, vocabulary=info.vocabulary_size)
    asked = lane.asked(request.headers)
    body.put_before(info.prompts.text(body.prompt, FIELD))
    deadline = asyncio.get_running_loop().time() + remaining(request)
    whole = call.stated_tokens(request.headers.get(call.TOKENS))
    embedded = await unless_disconnected(request, model.embed(body, deadline, whole, asked))
    return answer(embedded, info, request.headers.get("accept", ""))


@router.get(PATH, responses=error_responses(503))
async def model_info(model: LoadedModel) -> ModelInfo:
    """What is served: the api's health check, and the identity of its cache and documents."""
    return model.info
