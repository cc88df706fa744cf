"""What a chat may be asked with: everything else is a 400 that names the field."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.api.tests.conftest import Start
from services.api.tests.helpers.chat_standin import MODEL, ChatStandIn
from services.api.tests.helpers.chats import ASKED, PATH, ask

LIMIT = 200  # characters of the messages


@pytest.fixture
def client(start: Start, upstream: ChatStandIn) -> TestClient:
    """An api with small limits."""
    return start(chat_url=upstream.url, chat_model=MODEL, max_chat_characters=LIMIT, max_text_characters=100)


def said(content: Any, role: str = "user", **more: Any) -> dict[str, Any]:
    """A conversation of one message."""
    return {"messages": [{"role": role, "content": content, **more}]}


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
BAD = [
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": "hello"}, "messages"),
    ({"messages": [*ASKED] * 1001}, "messages"),
    (said(None), "messages.0.content"),
    (said(7), "messages.0.content"),
    (said(""), "messages.0.content"),
    (said([]), "messages.0.content"),
    (said(["text"]), "messages.0.content.0"),
    (said("a\0b"), "messages.0.content"),
    (said("\ud800"), "messages.0.content"),
    (said("x" * 101), "messages.0.content"),
    (said([{"type": "text", "text": "a"}, IMAGE]), "messages.0.content.1.type"),
    (said([{"type": "input_audio", "input_audio": {}}]), "messages.0.content.0.type"),
    (said("a", "tool", tool_call_id="x"), "messages.0.role"),
    (said("a", "assistant", tool_calls=[{}]), "messages.0.tool_calls"),
    (said("a", "system"), "messages"),
    ({"messages": [*ASKED, *said("x" * LIMIT, "assistant")["messages"]]}, "messages"),
    ({"model": None}, "model"),
    ({"tools": [{"type": "function"}]}, "tools"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"functions": [{}]}, "functions"),
    ({"audio": {"voice": "a"}}, "audio"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"response_format": {"type": "json_object"}}, "response_format"),
    ({"n": 2}, "n"),
    ({"logprobs": True}, "logprobs"),
    ({"temperature": 2.5}, "temperature"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": -1}, "top_p"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"seed": 2**64}, "seed"),
    ({"stop": []}, "stop"),
    ({"stop": ["a"] * 5}, "stop"),
    ({"stop": 7}, "stop"),
    ({"user": ""}, "user"),
    ({"stream": "yes"}, "stream"),
    ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ({"documents": {"limit": 0}}, "documents.limit"),
    ({"documents": {"limit": 21}}, "documents.limit"),
    ({"documents": {"filter": {"a": [1]}}}, "documents.filter.a"),
    ({"documents": {"filters": {}}}, "documents.filters"),
    ({"documents": 7}, "documents"),
]


@pytest.mark.parametrize(("changes", "param"), BAD)
def test_bad_input_names_its_field(
    client: TestClient, upstream: ChatStandIn, changes: dict[str, Any], param: str
) -> None:
    """It is a 400 before any work, whole or streamed."""
    body = {"model": MODEL, "messages": ASKED, "stream": True, **changes}
    answer = client.post(PATH, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert not upstream.calls


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_are_finite(client: TestClient, text: str) -> None:
    """Python's JSON reads NaN and infinity, which no other does."""
    body = f'{{"model": "{MODEL}", "messages": [{{"role": "user", "content": "a"}}], "temperature": {text}}}'
    answer = client.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "temperature")


def test_nulls_are_as_if_absent(client: TestClient) -> None:
    """Many clients write every field that they know."""
    nulls = dict.fromkeys(["stream", "stream_options", "documents", "tools", "n", "stop", "temperature", "user"])
    assert ask(client, [{"role": "user", "content": "a", "name": None, "tool_calls": None}], **nulls).status_code == 200


def test_another_model_is_not_found(client: TestClient) -> None:
    """The error names the one that there is."""
    answer = client.post(PATH, json={"model": "gpt-9", "messages": ASKED})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert MODEL in answer.json()["error"]["message"]


def test_the_last_message_of_the_user_is_the_query(client: TestClient, upstream: ChatStandIn) -> None:
    """Also where an answer follows it, which the server is to go on with; system messages may be empty."""
    messages = [
        {"role": "system", "content": ""},
        *ASKED,
        {"role": "user", "content": "And where?"},
        {"role": "assistant", "content": "In"},
    ]
    assert ask(client, messages).status_code == 200
    first, second, last = upstream.calls[0].body["messages"][1:]
    assert first == ASKED[0]
    assert second["content"].endswith("</sources>\n\nAnd where?")
    assert last == messages[-1]
