"""What all bodies share: strict types, no unknown keys, and text that Postgres and UTF-8 can hold."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

MAX_ITEMS = 256  # texts, token lists or documents in one call; the worker's limit too


class RequestBody(BaseModel):
    """A body from a caller: unknown keys and values of another type are errors, not guesses."""

    model_config = ConfigDict(extra="forbid", strict=True)


def storable(text: str) -> str:
    """The text itself. Raises PydanticCustomError for NUL characters and for halves of surrogate pairs."""
    if "\0" in text:
        raise PydanticCustomError("nul_character", "must not contain NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("lone_surrogate", "must be Unicode text without lone surrogates") from None
    return text


Text = Annotated[str, Field(min_length=1, json_schema_extra={"pattern": "^[^\\x00]*$"}), AfterValidator(storable)]


def at(place: tuple[str | int, ...], error: PydanticCustomError) -> ValidationError:
    """The error, placed below the field whose validator raises it."""
    return ValidationError.from_exception_data("value", [InitErrorDetails(type=error, loc=place, input=None)])
