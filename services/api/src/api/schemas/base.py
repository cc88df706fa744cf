"""Rules for all bodies: strict types, no unknown keys, null counts as absent, text that Postgres and UTF-8 can hold."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

MAX_ITEMS = 256  # documents in one call
MAX_FIELDS = 100  # of one object, unknown ones included: each would make an error, and only one is reported


def _nullable(schema: dict[str, Any]) -> None:
    """Say in the schema that an optional field may be null."""
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        if name not in required and {"type": "null"} not in field.get("anyOf", []):
            described = {key: field.pop(key) for key in ("default", "description", "title") if key in field}
            schema["properties"][name] = {"anyOf": [field, {"type": "null"}], **described}


class RequestBody(BaseModel):
    """A body from a caller: unknown keys and values of another type are errors, not guesses.

    Null in an optional field is as if the field were absent: many clients write every field that they know.
    """

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_nullable)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        if len(body) > MAX_FIELDS:
            raise PydanticCustomError("too_many_fields", "must have at most {limit} fields", {"limit": MAX_FIELDS})
        optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
        return {name: value for name, value in body.items() if value is not None or name not in optional}


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
    """The error, moved below the field whose validator raises it."""
    return ValidationError.from_exception_data("value", [InitErrorDetails(type=error, loc=place, input=None)])
