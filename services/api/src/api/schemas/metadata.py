"""Metadata of documents, and equality filters on it."""

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.schemas.base import at, storable

MAX_METADATA_BYTES = 16_384  # as compact JSON in UTF-8, with numbers as Postgres writes them
MAX_DEPTH = 32

SCALARS = (str, int, float, bool, type(None))


def _within(value: object) -> Iterator[object]:
    """All that a value holds, keys and itself too; raises PydanticCustomError below `MAX_DEPTH`. Not recursive."""
    level = [value]
    for _ in range(MAX_DEPTH):
        yield from level
        deeper: list[object] = []
        for each in level:
            if isinstance(each, dict):
                deeper += [*each, *each.values()]
            elif isinstance(each, list):
                deeper += each
        if not deeper:
            return
        level = deeper
    raise PydanticCustomError("too_deep", "must not nest deeper than {limit} levels", {"limit": MAX_DEPTH})


def _check_value(value: object) -> int:
    """Raise PydanticCustomError for what JSON in Postgres can't hold.

    Returns how many bytes longer Postgres' own JSON is: it writes a number with all its digits, 1e308 with 309.
    """
    longer = 0
    for each in _within(value):
        if isinstance(each, str):
            storable(each)
        elif isinstance(each, float):
            if not math.isfinite(each):
                raise PydanticCustomError("finite_number", "must not be NaN or infinite")
            if "e" in (short := repr(each)):
                longer += len(format(Decimal(short), "f")) - len(short)
    return longer


def _check(metadata: dict[str, Any]) -> dict[str, Any]:
    longer = 0
    for key, value in metadata.items():
        storable(key)
        try:
            longer += _check_value(value)
        except PydanticCustomError as error:
            raise at((key,), error) from error
    size = len(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode()) + longer
    if size > MAX_METADATA_BYTES:
        raise PydanticCustomError(
            "too_large",
            "must have at most {limit} bytes as compact JSON with all digits of its numbers, not {size}",
            {"limit": MAX_METADATA_BYTES, "size": size},
        )
    return metadata


def _check_filter(equals: dict[str, Any]) -> dict[str, Any]:
    for key, value in equals.items():
        storable(key)
        if not isinstance(value, SCALARS):
            raise at((key,), PydanticCustomError("scalar", "must be a string, number, boolean or null"))
    return _check(equals)


Metadata = Annotated[dict[str, Any], AfterValidator(_check)]

_FILTER_SCHEMA = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}
Filter = Annotated[dict[str, Any], AfterValidator(_check_filter), WithJsonSchema(_FILTER_SCHEMA)]
