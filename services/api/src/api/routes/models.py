"""`GET /v1/models`, as OpenAI's clients call it."""

from collections.abc import Sequence

from fastapi import APIRouter, Request

from api.dependencies import Worker
from api.embedder import Embedder
from api.embedders import embedders_of, replacement_of
from api.schemas.models import ChatModel, Model, ModelList
from api.settings import ApiSettings
from warmstart.errors import NotFound
from warmstart.http.errors import error_responses

router = APIRouter(tags=["models"])


FAMILY = "sentence-transformers/"


def named(embedders: Sequence[Embedder], name: str) -> Embedder:
    """The one of the model with this name, with or without the prefix of its family. Raises NotFound without one."""
    for each in embedders:
        if name.removeprefix(FAMILY) == each.model.model.removeprefix(FAMILY):
            return each
    known = " and ".join(each.model.model for each in embedders)
    raise NotFound(f"model: this service has {known} only", param="model", code="model_not_found")


@router.get("/models")
async def list_models(request: Request, _worker: Worker) -> ModelList:
    """The model that is served, while it is being replaced the other one, and that of chats."""
    embedders, replacement = embedders_of(request), replacement_of(request)
    served = [Model.of(each.model, replacement) for each in embedders]
    return ModelList(data=[*served, *_chat_models(request)])


@router.get("/models/{model:path}", responses=error_responses(404))
async def get_model(request: Request, model: str, _worker: Worker) -> Model | ChatModel:
    """A model by name, with or without `sentence-transformers/`."""
    for each in _chat_models(request):
        if each.id == model:
            return each
    return Model.of(named(embedders_of(request), model).model, replacement_of(request))


def _chat_models(request: Request) -> list[ChatModel]:
    settings: ApiSettings = request.app.state.settings
    return [ChatModel(id=settings.chat_model)] if settings.chat_url and settings.chat_model else []
