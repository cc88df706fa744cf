"""What a chat server says is made into what OpenAI's clients need, or is a typed error."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from api.chat.completion import Said, Writer, read
from api.chat.errors import ChatInvalid
from services.api.tests.conftest import Start
from services.api.tests.helpers.chat_standin import DONE, EVENTS, MODEL, ROLE, ChatStandIn, chunk, saying, words
from services.api.tests.helpers.chats import ask, chunks

HALF = rb'"\ud83d"'
A_CHOICE: dict[str, Any] = {"index": 0, "finish_reason": None, "delta": {"content": "a"}}


def delta(said: Any, **more: Any) -> dict[str, Any]:
    """A chunk of one choice."""
    return {"choices": [{**A_CHOICE, "delta": said, **more}]}


def message(said: Any, **more: Any) -> dict[str, Any]:
    """A whole answer of one choice."""
    return {"choices": [{"index": 0, "message": said, "finish_reason": "stop", **more}]}


def written(said: Said) -> Any:
    """As the caller gets it."""
    writer = Writer("a-model", [])
    return json.loads(writer.whole(said) if said.part == "message" else writer.chunk(said, first=False))


INVALID = [
    {"content": ["a"]},
    {"content": 7},
    {"content": {"text": "a"}},
    {"role": 1},
    {"refusal": False},
]


@pytest.mark.parametrize("said", INVALID)
def test_a_text_of_another_type_is_invalid(said: Any) -> None:
    """Clients join the contents: a list or a number would end them with an error of their own."""
    for text, part in ((delta(said), "delta"), (message(said), "message")):
        with pytest.raises(ChatInvalid):
            read(json.dumps(text).encode(), part)


@pytest.mark.parametrize(
    "choices",
    [
        "x",
        {},
        7,
        [None],
        ["x"],
        [{**A_CHOICE, "index": "0"}],
        [{**A_CHOICE, "index": True}],
        [{**A_CHOICE, "finish_reason": 1}],
        [{**A_CHOICE, "delta": ["a"]}],
    ],
)
def test_choices_of_another_type_are_invalid(choices: Any) -> None:
    """Whatever is no list of choices."""
    with pytest.raises(ChatInvalid):
        read(json.dumps({"choices": choices}).encode(), "delta")


def test_a_whole_answer_needs_a_choice() -> None:
    """None, null and an empty list are no answer."""
    answers: list[dict[str, Any]] = [{}, {"choices": None}, {"choices": []}, message(None)]
    for text in answers:
        with pytest.raises(ChatInvalid):
            read(json.dumps(text).encode(), "message")


def test_what_a_client_needs_is_added() -> None:
    """OpenAI's own types take the least that a server may say: a content."""
    chunk = written(read(b'{"choices": [{"delta": {"content": "a"}}]}', "delta"))
    assert ChatCompletionChunk.model_validate(chunk).choices[0].index == 0
    whole = written(read(b'{"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}', "message"))
    assert ChatCompletion.model_validate(whole).choices[0].message.role == "assistant"
    assert written(read(b'{"choices": [{"message": {}}]}', "message"))["choices"][0] == {
        "index": 0,
        "finish_reason": None,
        "message": {"role": "assistant", "content": None},
    }


@pytest.mark.parametrize("usage", ["7", 7, [7], True, None])
def test_a_usage_that_is_none_is_left_out(usage: Any) -> None:
    """An answer that is there isn't lost for its figures."""
    said = {**delta({"content": "a"}), "usage": usage, "system_fingerprint": 7, "service_tier": []}
    found = written(read(json.dumps(said).encode(), "delta"))
    assert not {"usage", "system_fingerprint", "service_tier"} & found.keys()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HALF, "\ufffd"),
        (rb'"a\udE00"', "a\ufffd"),
        (rb'"\ud83d\ud83d\ude00b"', "\ufffd\U0001f600b"),
        (rb'"\ud83d\ude00\ud83d"', "\U0001f600\ufffd"),
        (rb'"\\ud83d\ud83d\n"', "\\ud83d\ufffd\n"),
    ],
)
def test_half_of_a_surrogate_pair_is_replaced(text: bytes, expected: str) -> None:
    """As decoders of UTF-8 do: no text may hold it, and whole pairs and escaped backslashes stay."""
    found = written(read(b'{"choices": [{"delta": {"content": ' + text + b"}}]}", "delta"))
    assert found["choices"][0]["delta"]["content"] == expected


def test_a_cut_emoji_ends_no_stream(start: Start, upstream: ChatStandIn) -> None:
    """Its halves come in two chunks, as from servers that count UTF-16, and the answer goes on."""
    halves = b"".join(words("X").replace(b'"X"', half) for half in (HALF, rb'"\ude00"'))
    upstream.says = saying(EVENTS + chunk(ROLE) + words("a") + halves + words("b") + chunk({}, "stop") + DONE)
    client: TestClient = start(chat_url=upstream.url, chat_model=MODEL)
    *said, last = chunks(ask(client, stream=True))
    assert last == "[DONE]"
    assert "".join(each["choices"][0]["delta"].get("content", "") for each in said) == "a\ufffd\ufffdb"
