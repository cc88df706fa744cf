"""Reads what the chat server answers, and writes it as OpenAI's API has it, with the sources."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson

from api.chat.errors import ChatFailed, ChatInvalid
from api.schemas.chat import Source

KEPT = ("usage", "system_fingerprint", "service_tier")  # beside the choices, where the chat server has them
NOT_OPENAI = "the answer of the chat server isn't as OpenAI's API has it"


@dataclass(frozen=True)
class Said:
    """A whole answer (`part` is `message`) or a chunk of one (`delta`)."""

    choices: list[dict[str, Any]]
    kept: dict[str, Any]
    part: str

    @property
    def begins(self) -> bool:
        """Whether anything of the answer is in it: the first chunk may have the role alone."""
        return any(value for each in self.choices for name, value in each[self.part].items() if name != "role")

    @property
    def ends(self) -> bool:
        """Whether the answer is complete with it."""
        return any(each.get("finish_reason") for each in self.choices)


def read(text: bytes, part: str) -> Said:
    """Read a body, or the data of an event. Raises ChatInvalid for another form, ChatFailed for an error."""
    try:
        found = orjson.loads(text)
    except ValueError:
        raise ChatInvalid(NOT_OPENAI) from None
    if not isinstance(found, dict):
        raise ChatInvalid(NOT_OPENAI)
    if found.get("error"):
        raise ChatFailed("the chat server reports an error in its answer")
    choices = found.get("choices")
    if part == "delta":  # a chunk with the usage may have no choices, one of Azure's content filter no delta
        choices = [] if choices is None else choices
        choices = [_with_delta(each) for each in choices] if isinstance(choices, list) else choices
    elif not choices:
        raise ChatInvalid(NOT_OPENAI)
    if not isinstance(choices, list) or not all(
        isinstance(each, dict) and isinstance(each.get(part), dict) for each in choices
    ):
        raise ChatInvalid(NOT_OPENAI)
    kept = {name: found[name] for name in KEPT if found.get(name) is not None}
    return Said(choices, kept, part)


def _with_delta(choice: Any) -> Any:
    return {**choice, "delta": {}} if isinstance(choice, dict) and choice.get("delta") is None else choice


@dataclass
class Writer:
    """Writes one answer, under one id and the name by which the caller asked for the model."""

    model: str
    sources: Sequence[Source]
    name: str = field(default_factory=lambda: f"chatcmpl-{uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, said: Said) -> bytes:
        """The JSON of a whole answer. Raises ChatInvalid for one that is nested too deeply to be written."""
        return _json(self._with_sources("chat.completion", said))

    def chunk(self, said: Said, *, first: bool) -> bytes:
        """The JSON of one chunk; the first one has the sources. Raises ChatInvalid as `whole` does."""
        kind = "chat.completion.chunk"
        return _json(self._with_sources(kind, said) if first else self._written(kind, said))

    def _written(self, kind: str, said: Said) -> dict[str, Any]:
        head = {"id": self.name, "object": kind, "created": self.created, "model": self.model}
        return {**head, "choices": said.choices, **said.kept}

    def _with_sources(self, kind: str, said: Said) -> dict[str, Any]:
        # Not orjson: metadata may hold an integer of more than 64 bits.
        listed = orjson.Fragment(json.dumps([_source(each) for each in self.sources]))
        return {**self._written(kind, said), "sources": listed}


def _json(data: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(data)
    except TypeError:  # orjson reads 1024 levels, and writes 254 (its README)
        raise ChatInvalid(NOT_OPENAI) from None


def _source(source: Source) -> dict[str, Any]:
    with_metadata = {} if source.metadata is None else {"metadata": source.metadata}
    return {"number": source.number, "id": source.id, "score": source.score, **with_metadata}
