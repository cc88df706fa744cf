"""The answer of `GET /model`: the served model and its limits."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from contract.predictor import PredictorInfo
from contract.prompts import NO_PROMPTS, Prompts
from contract.space import space_of

PATH = "/model"


class ModelInfo(BaseModel):
    """`fingerprint` names weights, tokenizer, pooling, prompts, engine and precision: it changes when the vectors can.

    `space` names what the vectors can be compared with: engines and precisions that agree have one. A worker of an
    earlier version names none.

    An input has at most `max_text_characters`, or token ids below `vocabulary_size`. It is cut off at `max_tokens`,
    of which `special_tokens` are put around it. `predictor` is there if the worker answers `POST /predict`, too.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    fingerprint: str
    space: str = ""
    dimensions: int
    max_tokens: int
    special_tokens: int
    vocabulary_size: int
    max_text_characters: int
    prompts: Prompts = NO_PROMPTS
    engine: str
    precision: str
    threads: int
    predictor: PredictorInfo | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_a_space(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        fingerprint, named = given.get("fingerprint"), given.get("space", "")
        if isinstance(fingerprint, str) and isinstance(named, str):
            return {**given, "space": space_of(fingerprint, named)}
        return given

    def __str__(self) -> str:
        return f"{self.model} by {self.engine} {self.precision}, threads: {self.threads}"
