"""The worker's two routes."""

import asyncio

from fastapi import APIRouter, Request, Response

from warmstart.http import call_tokens
from warmstart.http.deadline import remaining
from warmstart.http.disconnect import unless_disconnected
from warmstart.http.errors import error_responses
from worker.answers import DOCUMENTED, answer
from worker.limits import check_limits
from worker.resources import LoadedModel
from worker.schemas import EmbeddingsRequest, EmbeddingsResponse, ModelInfo

router = APIRouter()


@router.post(
    "/embeddings/",
    response_model=EmbeddingsResponse,
    responses={200: DOCUMENTED, **error_responses(413, 500, 503)},
)
async def embeddings(request: Request, body: EmbeddingsRequest, model: LoadedModel) -> Response:
    """One unit vector for each text."""
    settings = request.app.state.settings
    check_limits(body, settings.max_text_characters, model.engine.vocabulary_size)
    deadline = asyncio.get_running_loop().time() + remaining(request)
    call = call_tokens.stated(request.headers.get(call_tokens.HEADER))
    embedded = await unless_disconnected(request, model.embed(body, deadline, call))
    return answer(embedded, model.info, request.headers.get("accept", ""))


@router.get("/model", responses=error_responses(503))
async def model_info(model: LoadedModel) -> ModelInfo:
    """What is served: the api's health check, and the identity of its cache and documents."""
    return model.info
