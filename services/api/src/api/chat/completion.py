"""Reads what the chat server answers, and writes it as OpenAI's API has it, with the sources."""

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson

from api.chat.errors import ChatFailed, ChatInvalid
from api.schemas.chat import Source

# Beside the choices, where the chat server has them. Of another type they are left out: the answer is good without.
KEPT = {"usage": dict, "system_fingerprint": str, "service_tier": str}
TEXTS = ("role", "content", "refusal")  # of a message or delta: clients join them
# An escape of JSON; the group is half of a surrogate pair, which no text may hold. Some servers cut an emoji in two.
ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)")
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
    found = _parsed(text)
    if not isinstance(found, dict):
        raise ChatInvalid(NOT_OPENAI)
    if found.get("error"):
        raise ChatFailed("the chat server reports an error in its answer")
    choices = found.get("choices")
    if part == "delta" and choices is None:  # a chunk with the usage may have none
        choices = []
    if not isinstance(choices, list) or (part == "message" and not choices):
        raise ChatInvalid(NOT_OPENAI)
    kept = {name: found[name] for name, kind in KEPT.items() if isinstance(found.get(name), kind)}
    return Said([_choice(each, part, place) for place, each in enumerate(choices)], kept, part)


def _parsed(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        whole = ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], text)
    try:
        return orjson.loads(whole)
    except ValueError:
        raise ChatInvalid(NOT_OPENAI) from None


def _choice(found: Any, part: str, place: int) -> dict[str, Any]:
    """A choice with all that OpenAI's clients look for, also where the chat server left it out."""
    if not isinstance(found, dict):
        raise ChatInvalid(NOT_OPENAI)
    said = found.get(part)
    if part == "delta" and said is None:  # of Azure's content filter
        said = {}
    index = place if found.get("index") is None else found["index"]
    finish_reason = found.get("finish_reason")
    if (
        not isinstance(said, dict)
        or type(index) is not int
        or not all(each is None or isinstance(each, str) for each in (finish_reason, *map(said.get, TEXTS)))
    ):
        raise ChatInvalid(NOT_OPENAI)
    if part == "message":
        said = {"role": "assistant", "content": None, **said}
    return {**found, "index": index, "finish_reason": finish_reason, part: said}


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
