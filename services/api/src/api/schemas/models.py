"""OpenAI's model list."""

from typing import Literal, Self

from pydantic import BaseModel

from api.identity import Identity


class Model(BaseModel):
    """The served model. `created` is 0: a model folder does not say when it was made."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "warmstart"
    dimensions: int
    max_tokens: int
    fingerprint: str
    engine: str
    precision: str

    @classmethod
    def of(cls, identity: Identity) -> Self:
        """The description of the worker's model."""
        return cls(
            id=identity.model,
            dimensions=identity.dimensions,
            max_tokens=identity.max_tokens,
            fingerprint=identity.fingerprint,
            engine=identity.engine,
            precision=identity.precision,
        )


class ModelList(BaseModel):
    """All served models: one."""

    object: Literal["list"] = "list"
    data: list[Model]
