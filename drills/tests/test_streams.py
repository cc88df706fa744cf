"""What the ledger makes of the end of a stream: whole, ended by an error event, or cut."""

import random

import pytest

from drills.ledger import kind, unexpected
from drills.requests import chat
from loadtest.openloop import Row
from loadtest.openloop.client import Exchange
from loadtest.openloop.outcome import outcome
from stack.http import Answer

CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"data: one"},"finish_reason":null}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
LONGEST = LAST.replace(b"stop", b"length")
ERROR = b'data: {"error":{"message":"it broke off","type":"upstream_error","param":null,"code":"chat_broken"}}\n\n'
DONE = b"data: [DONE]\n\n"


def row(body: bytes, error: str | None = None) -> Row:
    """The row of a chat with this answer, or with what came instead."""
    answer = None if error else Answer(200, {"content-type": "text/event-stream; charset=utf-8"}, body)
    exchange = Exchange(first_byte=1.0, done=2.0, answer=answer, error=error)
    return outcome(Row(0, "chat", 0.0, 0.0), chat(random.Random(0), 0), exchange)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (CHUNK + LAST + DONE, "ok"),
        (CHUNK + LONGEST + DONE, "ok"),  # max_tokens
        (CHUNK + ERROR, "200 chat_broken"),
        (ERROR, "200 chat_broken"),
        (CHUNK + LAST, "wrong"),  # without [DONE]
        (CHUNK + DONE, "wrong"),  # without a reason
        (CHUNK, "wrong"),
        (b"", "wrong"),
    ],
)
def test_only_a_whole_stream_is_good(body: bytes, expected: str) -> None:
    """It says why it finished, and then that it is done; an error event is a typed end, and all else is a cut."""
    assert kind(row(body)) == expected


def test_a_connection_that_breaks_is_a_cut() -> None:
    """Whatever had arrived before."""
    assert kind(row(CHUNK, error="closed")) == "closed"


def test_a_typed_end_is_no_cut() -> None:
    """A drill may allow the one and not the other."""
    rows = [row(CHUNK + ERROR), row(CHUNK)]
    assert unexpected(rows, ["200 chat_broken"], {rows[0].stream}) == rows[1:]
