"""OpenAI's model list."""

from typing import Literal, Self

from pydantic import BaseModel

from contract.model import ModelInfo


class Model(BaseModel):
    """The served model. Vectors of one `space` can be compared, whatever engine made them.

    `created` is 0: a model folder does not say when it was made. `prompts` has the names of its own prompts; `query`,
    `document` and `none` may be named in any case.
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

    @classmethod
    def of(cls, served: ModelInfo) -> Self:
        """The description of the worker's model."""
        return cls(
            id=served.model,
            dimensions=served.dimensions,
            max_tokens=served.max_tokens,
            fingerprint=served.fingerprint,
            space=served.space,
            engine=served.engine,
            precision=served.precision,
            prompts=list(served.prompts.texts),
        )


class ModelList(BaseModel):
    """All served models: one."""

    object: Literal["list"] = "list"
    data: list[Model]
