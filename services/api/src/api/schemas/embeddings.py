"""OpenAI's embeddings call."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, TypeAdapter
from pydantic_core import PydanticCustomError

from api.schemas.base import RequestBody, Text

SEND_TEXTS = "LangChain's OpenAIEmbeddings sends texts with check_embedding_ctx_length=False"
MAX_IDS = 131_072  # token ids of one call: 2,048 inputs of 64, or 512 of the 256 that the model reads

# fail_fast: one problem is reported; to collect those of 1.4 million empty lists took 11 s and 1.3 GiB.
TokenList = Annotated[
    list[Annotated[int, Field(strict=True, ge=0, lt=2**31)]], Field(min_length=1, max_length=8192, fail_fast=True)
]
TextList = Annotated[list[Text], Field(min_length=1, fail_fast=True)]
TokenLists = Annotated[list[TokenList], Field(min_length=1, fail_fast=True)]
Inputs: TypeAlias = Text | TextList | TokenList | TokenLists

_SHAPES: dict[type, TypeAdapter[Any]] = {
    str: TypeAdapter(Annotated[TextList, Field(strict=True)]),
    int: TypeAdapter(Annotated[TokenList, Field(strict=True)]),
    list: TypeAdapter(Annotated[TokenLists, Field(strict=True)]),
}
_TEXT: TypeAdapter[str] = TypeAdapter(Annotated[Text, Field(strict=True)])


def _one_shape(value: object) -> object:
    """Validate by the shape of the value's beginning: one error for each possible shape would help nobody."""
    if isinstance(value, str):
        return _TEXT.validate_python(value)
    if not isinstance(value, list):
        raise PydanticCustomError("input_type", "must be a string, a list of strings, token ids, or lists of token ids")
    if not value:
        raise PydanticCustomError("too_short", "must not be empty")
    shape = _SHAPES.get(type(value[0]))
    if shape is None:
        raise PydanticCustomError("input_type", "must hold strings, token ids, or lists of token ids")
    ids = sum(len(each) for each in value if isinstance(each, list))
    if ids > MAX_IDS:
        limits = {"limit": MAX_IDS, "instead": SEND_TEXTS}
        raise PydanticCustomError("too_many_ids", "must hold at most {limit} token ids in all; {instead}", limits)
    return shape.validate_python(value)


class EmbeddingRequest(RequestBody):
    """What to embed: one text, or up to `MAX_INPUTS` texts.

    With `TOKEN_IDS=1` also ids of the model's own vocabulary, without special tokens (they are added here). Unknown
    fields are ignored: clients send those of other servers (`drop_params`, `truncate_prompt_tokens`).
    """

    model_config = ConfigDict(extra="ignore")

    input: Annotated[Inputs, PlainValidator(_one_shape, json_schema_input_type=Inputs)]
    model: str
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, description="the model's own size, or absent")
    input_type: Any = Field(None, description="query, document, or a prompt's name; another value is ignored")
    user: str | None = Field(None, description="accepted for compatibility, not used")


class EmbeddingObject(BaseModel):
    """One vector: floats, or base64 of little-endian float32."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Tokens of all inputs as the model sees them: with prompts and special tokens, after truncation."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(BaseModel):
    """One vector per input, in order."""

    object: Literal["list"]
    data: list[EmbeddingObject]
    model: str
    usage: Usage
