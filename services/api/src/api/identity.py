"""Which model the worker serves."""

from pydantic import BaseModel

FAMILY = "sentence-transformers/"


class Identity(BaseModel, frozen=True):
    """The worker's own description. `fingerprint` names weights, tokenizer, pooling, engine and precision."""

    model: str
    fingerprint: str
    dimensions: int
    max_tokens: int
    engine: str
    precision: str

    def answers_to(self, name: str) -> bool:
        """Whether a caller who asks for `name` means this model; the family's prefix is optional."""
        return name.removeprefix(FAMILY) == self.model.removeprefix(FAMILY)
