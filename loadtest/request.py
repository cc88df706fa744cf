"""A request, its answer, and how a name becomes a maker of requests."""

import importlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stack.http import NOTHING, Answer
from stack.ports import HOST


@dataclass(frozen=True)
class Request:
    """One HTTP request. `check` reads an answer of status 200, and returns in a few words what is wrong, or nothing.

    `keep` makes of an answer of status 200 what its row is to have of it, in types of JSON. Both run while other
    requests may be due: keep them well below a millisecond.
    """

    path: str
    body: bytes | None = None
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    check: Callable[[Answer], str] | None = None
    keep: Callable[[Answer], Any] | None = None

    def wire(self, authority: str = HOST, prefix: str = "", more: Mapping[str, str] = NOTHING) -> bytes:
        """The bytes of the request to a host, with a path prefix and further headers."""
        length = {} if self.body is None else {"Content-Length": str(len(self.body))}
        headers = {"Host": authority, **length, **more, **self.headers}
        lines = [
            f"{self.method} {prefix}{self.path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (self.body or b"")


# Called for each request with the stream's own random numbers (seeded) and the request's number in the run.
Maker = Callable[[random.Random, int], Request]

STANDARD = "loadtest.openloop.makers"


def maker(name: str) -> Maker:
    """The function that `name` or `module:name` means, or what `module:name:argument` returns for that argument.

    Raises:
        ValueError: there is none.
    """
    module, function, argument = [*name.split(":", 2), "", ""][:3] if ":" in name else (STANDARD, name, "")
    try:
        found: Any = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name} is no maker of requests: {error}") from error
    made: Maker = found(argument) if argument else found
    return made
