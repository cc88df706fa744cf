"""The route of the estimator."""

import asyncio
from typing import Any

import numpy as np
import orjson
from fastapi import APIRouter, Request, Response

from contract import lane
from contract.lane import Lane
from contract.predict import FEATURES, PATH, WRONG_WIDTH, PredictRequest, PredictResponse
from warmstart.errors import BadRequest
from warmstart.http.deadline import remaining
from warmstart.http.disconnect import unless_disconnected
from warmstart.http.errors import error_responses
from worker.predictor.resource import LoadedPredictor

router = APIRouter()


@router.post(
    PATH,
    response_model=PredictResponse,
    response_model_exclude_none=True,
    responses=error_responses(413, 500, 503),
    openapi_extra={"parameters": [lane.PARAMETER]},
)
async def predict(request: Request, body: PredictRequest, predictor: LoadedPredictor) -> Response:
    """One prediction for each row of features, in their order."""
    info, outputs = predictor.info, predictor.estimator.outputs
    asked = lane.asked(request.headers) or Lane.INTERACTIVE
    check_width(body.features, info.features)
    deadline = asyncio.get_running_loop().time() + remaining(request)
    work = predictor.predict(np.array(body.features, np.float64), deadline, asked)
    rows, timings = await unless_disconnected(request, work)
    content: dict[str, Any] = {"predictions": outputs.decode(rows), "model": info.name, "fingerprint": info.sha256}
    if info.space:
        content["space"] = info.space
    if body.probabilities and info.classes:  # a classifier need not have probabilities
        content["classes"] = info.classes
    if body.probabilities and outputs.probable:
        content["probabilities"] = outputs.probabilities(rows)
    # Directly from the array: to validate each float again would take longer than most estimators.
    dumped = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(dumped, media_type="application/json", headers={"Server-Timing": timings.header()})


def check_width(features: list[list[float]], width: int) -> None:
    """Raise BadRequest, with its place, for a row that has another number of features."""
    for index, row in enumerate(features):
        if len(row) != width:
            where = f"{FEATURES}.{index}"
            message = f"{where} has {len(row)} features; the estimator takes {width}"
            raise BadRequest(message, param=where, code=WRONG_WIDTH)
