"""OpenAI's model list."""

from typing import Literal, Self

from pydantic import BaseModel

from api.store.replacement import Replacement
from contract.model import ModelInfo


class Model(BaseModel):
    """The served model. Vectors of one `space` can be compared, whatever engine made them.

    While a model is replaced, `status` is `next` for the new one, then `previous` for the old one, and `progress` says
    which part of the documents has a vector of the new one, 0 to 1, as the job last counted. `created` is 0: a model
    folder does not say when it was made. `prompts` has the names of its own prompts; `query`, `document` and `none` may
    be named in any case.
    """

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "warmstart"
    dimensions: int
    max_tokens: int
    fingerprint: str
    space: str
    engine: str
    precision: str
    prompts: list[str]
    status: Literal["serving", "next", "previous"] = "serving"
    progress: float | None = None

    @classmethod
    def of(cls, served: ModelInfo, replacement: Replacement | None = None) -> Self:
        """The description of a worker's model."""
        return cls(
            id=served.model,
            dimensions=served.dimensions,
            max_tokens=served.max_tokens,
            fingerprint=served.fingerprint,
            space=served.space,
            engine=served.engine,
            precision=served.precision,
            prompts=list(served.prompts.texts),
            status=_status(served.space, replacement),
            progress=replacement.progress if replacement and served.space == replacement.new else None,
        )


def _status(space: str, replacement: Replacement | None) -> Literal["serving", "next", "previous"]:
    if not replacement or space == replacement.served:
        return "serving"
    return "next" if space == replacement.new else "previous"


class ChatModel(BaseModel):
    """The model that answers chats, at another server, if there is one."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "chat"


class ModelList(BaseModel):
    """All served models: one, or two while one replaces the other, and that of chats."""

    object: Literal["list"] = "list"
    data: list[Model | ChatModel]
