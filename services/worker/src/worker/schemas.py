"""The bodies of the worker's routes."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from contract.call import TEXTS, TOKEN_IDS
from contract.limits import INPUTS


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("NUL characters are not allowed")
    return text


def _exactly_one(schema: dict[str, Any]) -> None:
    """Say in the schema, as the validator below does, that exactly one list is needed; null counts as absent."""
    lists = {"type": "array"}
    schema["oneOf"] = [{"required": [name], "properties": {name: lists}} for name in (TEXTS, TOKEN_IDS)]


Text = Annotated[str, Field(min_length=1, json_schema_extra={"pattern": "^[^\\u0000]+$"}), AfterValidator(_without_nul)]
TokenId = Annotated[int, Field(strict=True, ge=0)]


class EmbeddingsRequest(BaseModel):
    """Texts, or token ids without special tokens, which the worker adds. All are cut to `max_tokens`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_exactly_one)

    # fail_fast: only the first problem is reported, and a list of 10,000 would take the event loop 80 ms to collect.
    texts: Annotated[list[Text], Field(fail_fast=True)] | None = Field(
        None,
        min_length=1,
        max_length=INPUTS,
        description="each of at most MAX_TEXT_CHARACTERS characters",
    )
    token_ids: (
        Annotated[list[Annotated[list[TokenId], Field(min_length=1, fail_fast=True)]], Field(fail_fast=True)] | None
    ) = Field(
        None,
        min_length=1,
        max_length=INPUTS,
        description="ids of the model's vocabulary; no prompt is put before them",
    )
    prompt: str | None = Field(
        None, description="name of the prompt to put before each text, or none; absent: the model's default"
    )

    @model_validator(mode="after")
    def _has_one_list(self) -> Self:
        if (self.texts is None) == (self.token_ids is None):
            raise ValueError("give exactly one of texts and token_ids")
        return self

    @property
    def field(self) -> str:
        """The list that it has."""
        return TOKEN_IDS if self.texts is None else TEXTS

    @property
    def inputs(self) -> Sequence[str | list[int]]:
        """What is in it."""
        return self.texts or self.token_ids or ()

    def put_before(self, prompt: str) -> None:
        """Put a prompt before each text."""
        if prompt and self.texts:
            self.texts = [prompt + text for text in self.texts]

    def name(self, index: int) -> str:
        """The field of one input, for error messages."""
        return f"{self.field}.{index}"


class EmbeddingsResponse(BaseModel):
    """Unit vectors in the order of the inputs; `prompt_tokens` counts special tokens, after truncation."""

    embeddings: list[list[float]]
    model: str
    fingerprint: str
    space: str
    dimensions: int
    prompt_tokens: int
