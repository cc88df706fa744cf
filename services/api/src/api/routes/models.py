"""`GET /v1/models`, as OpenAI's clients call it."""

from fastapi import APIRouter

from api.dependencies import Worker
from api.identity import Identity
from api.schemas.models import Model, ModelList
from warmstart.errors import NotFound
from warmstart.http.errors import error_responses

router = APIRouter(tags=["models"])


def served_model(identity: Identity, name: str) -> Model:
    """The model, if it goes by `name`. Raises NotFound."""
    if not identity.answers_to(name):
        raise NotFound(f"model: this service has {identity.model} only", param="model", code="model_not_found")
    return Model.of(identity)


@router.get("/models")
async def list_models(worker: Worker) -> ModelList:
    """The one model that is served."""
    return ModelList(data=[Model.of(worker.identity)])


@router.get("/models/{model:path}", responses=error_responses(404))
async def get_model(model: str, worker: Worker) -> Model:
    """The served model by name, with or without `sentence-transformers/`."""
    return served_model(worker.identity, model)
