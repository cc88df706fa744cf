"""The worker's routes; that of an estimator is in `worker.predictor.routes`."""

import asyncio
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from contract import call, lane, predictor
from contract.inputs import check_inputs
from contract.model import PATH, ModelInfo
from contract.prompts import FIELD
from warmstart.errors import NotFound
from warmstart.http.deadline import remaining
from warmstart.http.disconnect import unless_disconnected
from warmstart.http.errors import error_responses
from warmstart.http.owner import state_of
from worker.answers import DOCUMENTED, answer
from worker.resources import LoadedModel
from worker.schemas import EmbeddingsRequest, EmbeddingsResponse

if TYPE_CHECKING:
    from worker.predictor.resource import PredictorSource

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
async def model_info(request: Request, model: LoadedModel) -> ModelInfo:
    """What is served: the api's health check, and the identity of its cache and documents."""
    source: PredictorSource | None = getattr(state_of(request), "predictor", None)
    if source is None:
        return model.info
    return model.info.model_copy(update={"predictor": (await source.served()).info})


@router.post(predictor.PATH, include_in_schema=False)
async def no_predictor() -> None:
    """Say what is missing. Where it is not, the estimator's own route comes first."""
    raise NotFound("this worker has no estimator: PREDICTOR is not set", code=predictor.NOT_CONFIGURED)
