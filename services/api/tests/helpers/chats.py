"""Chats as tests ask for them."""

import json
from typing import Any

import httpx2
from fastapi.testclient import TestClient

from services.api.tests.helpers.chat_standin import MODEL

PATH = "/v1/chat/completions"
ASKED = [{"role": "user", "content": "What erupts?"}]
DOCUMENTS = [
    {"id": "etna", "text": "Mount Etna erupts often.", "metadata": {"country": "IT", "empty": None, "large": 2**70}},
    {"id": "po", "text": "The Po flows into the Adriatic.", "metadata": {"country": "IT"}},
    {"id": "hekla", "text": "Hekla erupts, too.", "metadata": {"country": "IS"}},
]


def ask(client: TestClient, messages: Any = ASKED, **more: Any) -> httpx2.Response:
    """One chat."""
    return client.post(PATH, json={"model": MODEL, "messages": messages, **more})


def chunks(answer: httpx2.Response) -> list[Any]:
    """The data of its events."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    return events(answer.text)


def events(text: str) -> list[Any]:
    """The data of the events in a text, which holds nothing else."""
    lines = text.split("\n\n")
    assert lines.pop() == ""
    assert all(line.startswith("data: ") for line in lines)
    return [line[6:] if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]
