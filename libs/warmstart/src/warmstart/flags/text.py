"""What stands in a file of flags: one JSON object, each flag at most once, of exactly the type that its class says.

JSON, since a file that was cut anywhere is no JSON: of a TOML file that was cut between two lines, what is left would
be taken for all of it, and the other flags would fall back to their defaults.
"""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

TOLD = 5  # mistakes, or names: a file may have thousands
LONGEST = 64  # characters of a name or value that are shown


class FlagSet(BaseModel):
    """The flags of a service: subclass it, with a default for each.

    It can't be changed, so give it no value that can: a tuple, not a list. `"false"` and 0 are no bool.
    """

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True, validate_default=True
    )


M = TypeVar("M", bound=FlagSet)


@dataclass(frozen=True)
class Read(Generic[M]):
    """The flags of one version of the file: what it doesn't have is as by default."""

    flags: M
    unknown: tuple[str, ...] = ()  # names that this version of the service doesn't have
    sha256: str = ""  # as `sha256sum` says it; empty without a file


def parse(content: bytes, defaults: M) -> Read[M]:
    """Read a file. Raises ValueError with flag and reason, and without any value."""
    given = _object(content)
    kind = type(defaults)
    known = {name: value for name, value in given.items() if name in kind.model_fields}
    try:
        flags = kind.model_validate_json(json.dumps({**defaults.model_dump(mode="json"), **known}))
    except ValidationError as error:
        _readable(known)
        mistakes = error.errors(include_input=False, include_url=False, include_context=False)
        raise ValueError("; ".join(_told(each["loc"], each["msg"]) for each in mistakes[:TOLD])) from None
    return Read(flags, tuple(sorted(given.keys() - known.keys())), hashlib.sha256(content).hexdigest())


def values(flags: FlagSet) -> dict[str, str]:
    """Each flag as it is shown: text as it is, the rest as JSON."""
    dumped = flags.model_dump(mode="json").items()
    return {name: shown(value) if isinstance(value, str) else json.dumps(value)[:LONGEST] for name, value in dumped}


def shown(text: str) -> str:
    """A text as it may stand in a log line."""
    return json.dumps(text)[1:-1][:LONGEST]


def _object(content: bytes) -> dict[str, Any]:
    try:
        given = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_each_once)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None
    except RecursionError:
        raise ValueError("not JSON: nested too deeply") from None
    if not isinstance(given, dict):
        raise ValueError('must be a JSON object, such as {"flag": true}')  # noqa: TRY004 - a bad content, of whatever type
    return given


def _readable(given: dict[str, Any]) -> None:
    """Raises ValueError with the flag that Python's JSON takes and pydantic's doesn't, which names none."""
    for name, value in given.items():
        try:
            from_json(json.dumps({name: value}))
        except ValueError:
            raise ValueError(f"{name}: has half of a surrogate pair, or is nested too deeply") from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON allows a name twice, and most readers take the last one without a word."""
    for name, times in Counter(name for name, _ in pairs).items():
        if times > 1:
            raise ValueError(f"{shown(name)}: stands there {times} times")
    return dict(pairs)


def _told(where: tuple[int | str, ...], why: str) -> str:
    return ": ".join(filter(None, [shown(".".join(map(str, where))), why.removeprefix("Value error, ")]))
