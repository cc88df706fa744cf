"""Numbers that come as variables of the environment, such as RUNS=3; one that is empty counts as unset."""

import math
import os
import sys
from collections.abc import Mapping
from typing import TypeVar

Number = TypeVar("Number", int, float)


def positive(name: str, default: Number, environment: Mapping[str, str] = os.environ) -> Number:
    """A variable's value, of the default's type.

    What is no number above 0 ends the process as a wrong option does: with one line, and status 2.
    """
    text = environment.get(name, "").strip()
    return _read(name, text, type(default)) if text else default


def positives(name: str, kind: type[Number], environment: Mapping[str, str] = os.environ) -> list[Number]:
    """The values of a variable that takes several; commas or spaces are between them. Ends as `positive` does."""
    return [_read(name, each, kind) for each in environment.get(name, "").replace(",", " ").split()]


def _read(name: str, text: str, kind: type[Number]) -> Number:
    try:
        if 0 < (value := kind(text)) < math.inf:
            return value
    except ValueError:
        pass
    meant = "a whole number" if kind is int else "a number"
    print(f"{name}={text}: {meant} above 0 is meant", file=sys.stderr)
    raise SystemExit(2)
