"""`GET /v1/models`, as OpenAI's clients call it."""

from fastapi import APIRouter

from api.dependencies import Worker
from api.schemas.models import Model, ModelList
from contract.model import ModelInfo
from warmstart.errors import NotFound
from warmstart.http.errors import error_responses

router = APIRouter(tags=["models"])


FAMILY = "sentence-transformers/"


def check_model(served: ModelInfo, name: str) -> None:
    """Raise NotFound unless `name` is the model's, with or without the prefix of its family."""
    if name.removeprefix(FAMILY) != served.model.removeprefix(FAMILY):
        raise NotFound(f"model: this service has {served.model} only", param="model", code="model_not_found")


@router.get("/models")
async def list_models(worker: Worker) -> ModelList:
    """The one model that is served."""
    return ModelList(data=[Model.of(worker.model)])


@router.get("/models/{model:path}", responses=error_responses(404))
async def get_model(model: str, worker: Worker) -> Model:
    """The served model by name, with or without `sentence-transformers/`."""
    check_model(worker.model, model)
    return Model.of(worker.model)
