"""Bad input gets a 4xx that names the field and the limit."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.worker.tests.stand_ins import serving
from worker.engines.fake import FakeEngine

CHARACTERS = 50
BODY = 10_000

REFUSED: dict[str, tuple[Any, str | None, str]] = {
    "neither list": ({}, None, "exactly one of texts and token_ids"),
    "both lists": ({"texts": ["a"], "token_ids": [[1]]}, None, "exactly one of texts and token_ids"),
    "null": ({"texts": None}, None, "exactly one of texts and token_ids"),
    "another key": ({"texts": ["a"], "model": "x"}, "model", "not permitted"),
    "no texts": ({"texts": []}, "texts", "at least 1"),
    "a string": ({"texts": "a"}, "texts", "valid list"),
    "too many texts": ({"texts": ["a"] * 257}, "texts", "at most 256"),
    "a number": ({"texts": ["a", 1]}, "texts.1", "valid string"),
    "an empty text": ({"texts": ["a", "b", "c", ""]}, "texts.3", "at least 1"),
    "NUL": ({"texts": ["a", "b\0c"]}, "texts.1", "NUL"),
    "too long a text": (
        {"texts": ["a" * CHARACTERS, "b" * (CHARACTERS + 1)]},
        "texts.1",
        f"limit is {CHARACTERS}",
    ),
    "no token ids": ({"token_ids": []}, "token_ids", "at least 1"),
    "an empty id list": ({"token_ids": [[1], []]}, "token_ids.1", "at least 1"),
    "too many id lists": ({"token_ids": [[1]] * 257}, "token_ids", "at most 256"),
    "flat token ids": ({"token_ids": [1, 2]}, "token_ids.0", "valid list"),
    "a negative id": ({"token_ids": [[1, -1]]}, "token_ids.0.1", "greater than or equal to 0"),
    "an id outside the vocabulary": ({"token_ids": [[1], [5, 30_522]]}, "token_ids.1.1", "30521"),
    "a huge id": ({"token_ids": [[10**30]]}, "token_ids.0.0", "30521"),
    "a text as id": ({"token_ids": [["1"]]}, "token_ids.0.0", "valid integer"),
    "a boolean as id": ({"token_ids": [[True]]}, "token_ids.0.0", "valid integer"),
    "no object": (["a"], None, "JSON object"),
}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """A worker with small limits."""
    with serving(FakeEngine(), max_text_characters=CHARACTERS, max_body_bytes=BODY) as client:
        yield client


@pytest.mark.parametrize(("body", "param", "words"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused(client: TestClient, body: Any, param: str | None, words: str) -> None:
    """400 with the field's path and the limit in words."""
    answer = client.post("/embeddings/", json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert words in error["message"]


@pytest.mark.parametrize("content", [b"{", b'{"texts": ["a"]', b"\xff\xfe", b"", b'{"texts": ["\\ud800"]}'])
def test_what_is_not_json_text_is_refused(client: TestClient, content: bytes) -> None:
    """Malformed JSON, broken UTF-8, nothing, and half a surrogate pair are 400, not 500."""
    answer = client.post("/embeddings/", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_body_over_the_limit_is_413(client: TestClient) -> None:
    """The limit is in the message."""
    answer = client.post("/embeddings/", json={"texts": ["a" * BODY]})
    assert answer.status_code == 413
    assert str(BODY) in answer.json()["error"]["message"]


def test_what_is_within_the_limits_is_served(client: TestClient) -> None:
    """The largest text, the most texts and the largest id are accepted."""
    assert client.post("/embeddings/", json={"texts": ["a" * CHARACTERS]}).status_code == 200
    assert client.post("/embeddings/", json={"texts": ["a"] * 256}).status_code == 200
    assert client.post("/embeddings/", json={"texts": ["a"], "token_ids": None}).status_code == 200
    assert client.post("/embeddings/", json={"token_ids": [[0, 30_521]]}).status_code == 200


def test_characters_are_not_bytes(client: TestClient) -> None:
    """A text of emoji may be as many characters as one of letters."""
    assert client.post("/embeddings/", json={"texts": ["😀" * CHARACTERS]}).status_code == 200
