"""The answer of `GET /model`: the served model and its limits."""

from pydantic import BaseModel, ConfigDict

from contract.prompts import NO_PROMPTS, Prompts

PATH = "/model"


class ModelInfo(BaseModel):
    """`fingerprint` names weights, tokenizer, pooling, prompts, engine and precision: it changes when the vectors can.

    An input has at most `max_text_characters`, or token ids below `vocabulary_size`. It is cut off at `max_tokens`,
    of which `special_tokens` are put around it.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    fingerprint: str
    dimensions: int
    max_tokens: int
    special_tokens: int
    vocabulary_size: int
    max_text_characters: int
    prompts: Prompts = NO_PROMPTS
    engine: str
    precision: str
    threads: int

    def __str__(self) -> str:
        return f"{self.model} by {self.engine} {self.precision}, threads: {self.threads}"
