"""OpenAI's chat call, as far as text goes, and which documents its answer is made from."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from api.schemas.base import RequestBody, Text, at
from api.schemas.metadata import Filter

MOST_MESSAGES = 1000
MOST_STOPS = 4
MOST_DOCUMENTS = 20

# What would change an answer, and isn't here: the values that leave it as it is, beside null and absence.
UNSUPPORTED: dict[str, tuple[object, ...]] = {
    "audio": (),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "response_format": ({"type": "text"},),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
    "web_search_options": (),
}
UNSUPPORTED_IN_A_MESSAGE: dict[str, tuple[object, ...]] = {"audio": (), "function_call": (), "tool_calls": ([],)}
# What goes to the chat server as it is; all other fields are ignored.
PASSED = (
    "frequency_penalty",
    "max_completion_tokens",
    "max_tokens",
    "presence_penalty",
    "reasoning_effort",
    "seed",
    "stop",
    "temperature",
    "top_p",
    "user",
)


def _refuse(body: Any, unsupported: dict[str, tuple[object, ...]]) -> Any:
    if isinstance(body, dict):
        for name, harmless in unsupported.items():
            if body.get(name) is not None and body[name] not in harmless:
                raise at((name,), PydanticCustomError("unsupported", "is not supported: the answer is one text"))
    return body


_TEXT: TypeAdapter[str] = TypeAdapter(Annotated[Text, Field(strict=True)])


class Part(RequestBody):
    """A piece of a message's text."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["text"]
    text: Text


_PARTS: TypeAdapter[list[Part]] = TypeAdapter(
    Annotated[list[Part], Field(min_length=1, max_length=MOST_MESSAGES, fail_fast=True)]
)
_STOPS: TypeAdapter[list[str]] = TypeAdapter(
    Annotated[list[Text], Field(min_length=1, max_length=MOST_STOPS, fail_fast=True, strict=True)]
)
Content: TypeAlias = str | list[Part]
Stops: TypeAlias = str | list[str]


def _content(value: object) -> str:
    """The text of a message, its parts joined by line ends. Validated by its shape, as an input of embeddings is."""
    if isinstance(value, str):
        return _TEXT.validate_python(value) if value else value
    if not isinstance(value, list):
        raise PydanticCustomError("content_type", "must be a string or a list of text parts")
    return "\n".join(part.text for part in _PARTS.validate_python(value))


def _stop(value: object) -> Stops:
    return _TEXT.validate_python(value) if isinstance(value, str) else _STOPS.validate_python(value)


class Message(RequestBody):
    """One message of the conversation; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, PlainValidator(_content, json_schema_input_type=Content)]
    name: Text | None = Field(None, max_length=64)

    @model_validator(mode="before")
    @classmethod
    def _only_text(cls, body: Any) -> Any:
        return _refuse(body, UNSUPPORTED_IN_A_MESSAGE)


class StreamOptions(RequestBody):
    """Whether the stream ends with a chunk that counts tokens."""

    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class Documents(RequestBody):
    """Which documents are the sources: so many of the nearest to the query, of those that the filter keeps.

    With `metadata`, the answer's list of sources has theirs.
    """

    limit: int = Field(5, ge=1, le=MOST_DOCUMENTS)
    filter: Filter = Field(default_factory=dict)
    metadata: bool = False


class ChatRequest(RequestBody):
    """A conversation to be continued from documents. The last message of the user is what documents are searched by.

    Fields that OpenAI's clients send besides are ignored, unless the answer would have to be something other than one
    text: those are errors.
    """

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    model: str
    messages: Annotated[list[Message], Field(min_length=1, max_length=MOST_MESSAGES, fail_fast=True)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    documents: Documents = Field(default_factory=Documents)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    max_completion_tokens: int | None = Field(None, ge=1, lt=2**31)
    max_tokens: int | None = Field(None, ge=1, lt=2**31)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    reasoning_effort: Text | None = Field(None, max_length=64)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: Annotated[Stops, PlainValidator(_stop, json_schema_input_type=Stops)] | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    user: Text | None = Field(None, max_length=1000)

    @model_validator(mode="before")
    @classmethod
    def _only_text(cls, body: Any) -> Any:
        return _refuse(body, UNSUPPORTED)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with a chunk that counts tokens."""
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def asked(self) -> int | None:
        """The index of the last message of the user; None without one."""
        found = (index for index in reversed(range(len(self.messages))) if self.messages[index].role == "user")
        return next(found, None)


class Source(BaseModel):
    """A document of the prompt: the number by which the answer cites it, and its similarity to the query."""

    number: int
    id: str
    score: float
    metadata: dict[str, Any] | None = None


class ChatMessage(BaseModel):
    """What the chat server says."""

    role: Literal["assistant"] = "assistant"
    content: str | None


class Choice(BaseModel):
    """The answer; `finish_reason` is the chat server's."""

    index: int
    message: ChatMessage
    finish_reason: str | None


class Completion(BaseModel):
    """A whole answer, as OpenAI's API has it, and its sources."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: dict[str, Any] | None = None
    sources: list[Source]
