"""What is sent, what came back, and how a name becomes a maker of requests."""

import importlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """`headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Request:
    """One HTTP request.

    `check` looks at an answer of status 200 and says what is wrong with it, in a few words, or nothing. It runs while
    other requests may be due: keep it well below a millisecond.
    """

    path: str
    body: bytes | None = None
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    check: Callable[[Answer], str] | None = None


# Called for each request with the stream's own random numbers (seeded) and the request's number in the run.
Maker = Callable[[random.Random, int], Request]

STANDARD = "loadtest.openloop.makers"


def maker(name: str) -> Maker:
    """The function that `name` or `module:name` means.

    Raises:
        ValueError: there is none.
    """
    module, _, function = name.rpartition(":")
    try:
        found: Maker = getattr(importlib.import_module(module or STANDARD), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name} is no maker of requests: {error}") from error
    return found
