"""Questions and answers on the wire, as https://platform.openai.com/docs/api-reference/chat has them."""

import re
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, Field

from . import MODEL

DONE = b"data: [DONE]\n\n"
TOKEN = re.compile(r"\s*\S+")  # a word stands for a token


class Piece(BaseModel):
    """A part of a message; what is no text has none."""

    text: str = ""


class Message(BaseModel):
    """One turn of the conversation."""

    role: str
    content: str | list[Piece] | None = None

    @property
    def text(self) -> str:
        """All of its text."""
        if isinstance(self.content, list):
            return "\n".join(piece.text for piece in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    """What a stream has besides."""

    include_usage: bool = False


class Question(BaseModel):
    """What is read of a request; all other fields are ignored."""

    model: str
    messages: list[Message] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)

    @property
    def last(self) -> str:
        """The text of the user's last message."""
        return next((each.text for each in reversed(self.messages) if each.role == "user"), "")

    @property
    def most_tokens(self) -> int | None:
        """How long the answer may be."""
        return self.max_completion_tokens or self.max_tokens


def tokens(text: str) -> list[str]:
    """The words, each with the space before it."""
    return TOKEN.findall(text)


@dataclass
class Answer:
    """One answer, of these tokens of which the last ones may be missing."""

    said: list[str]
    asked: int  # tokens
    cut_off: bool = False
    name: str = field(default_factory=lambda: f"chatcmpl-{uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def finish_reason(self) -> str:
        """Why it ended."""
        return "length" if self.cut_off else "stop"

    @property
    def usage(self) -> dict[str, int]:
        """In words."""
        said = len(self.said)
        return {"prompt_tokens": self.asked, "completion_tokens": said, "total_tokens": self.asked + said}

    def whole(self) -> dict[str, Any]:
        """All of it."""
        message = {"role": "assistant", "content": "".join(self.said), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
        return {**self._head("chat.completion"), "choices": [choice], "usage": self.usage}

    def chunk(self, finish_reason: str | None = None, **delta: str) -> dict[str, Any]:
        """A part of the stream."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def last_chunk(self) -> dict[str, Any]:
        """What follows the choices when the usage is asked for."""
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": self.usage}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.name, "object": kind, "created": self.created, "model": MODEL}


def error(message: str, kind: str, code: str | None = None) -> dict[str, Any]:
    """An error's body."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
