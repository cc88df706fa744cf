"""Every bad input gets a 400 that names the field, in the error envelope; nothing gets a bare 500."""

import json
from typing import Any

import httpx2
import pytest

from services.api.tests.conftest import MODEL

EMBED, STORE, SEARCH = "/v1/embeddings", "/v1/documents", "/v1/search"


def embed(value: Any, **more: Any) -> dict[str, Any]:
    """A body for `/v1/embeddings`."""
    return {"input": value, "model": MODEL, **more}


def store(*documents: dict[str, Any]) -> dict[str, Any]:
    """A body for `/v1/documents`."""
    return {"documents": list(documents)}


def tagged(metadata: Any) -> dict[str, Any]:
    """A body that stores one document with this metadata."""
    return store({"text": "t", "metadata": metadata})


def deep(levels: int) -> Any:
    """Lists in lists."""
    return [deep(levels - 1)] if levels else 0


CASES: list[tuple[str, Any, str | None, str]] = [
    (EMBED, embed(""), "input", "at least 1 character"),
    (EMBED, embed([]), "input", "must not be empty"),
    (EMBED, embed(["a", ""]), "input.1", "at least 1 character"),
    (EMBED, embed(["a"] * 2049), "input", "at most 2048"),
    (EMBED, embed("a" * 20_001), "input", "20000"),
    (EMBED, embed(["a", "a" * 20_001]), "input.1", "20000"),
    (EMBED, embed("a\0b"), "input", "NUL"),
    (EMBED, embed(["a", "\0"]), "input.1", "NUL"),
    (EMBED, embed("\ud800"), "input", "unicode"),
    (EMBED, embed(5), "input", "string"),
    (EMBED, embed(None), "input", "string"),
    (EMBED, embed({"a": 1}), "input", "string"),
    (EMBED, embed([None]), "input", "strings"),
    (EMBED, embed([True]), "input", "strings"),
    (EMBED, embed([1.5]), "input", "strings"),
    (EMBED, embed(["a", 1]), "input.1", "string"),
    (EMBED, embed([1, "a"]), "input.1", "integer"),
    (EMBED, embed([1, -1]), "input.1", "greater than or equal to 0"),
    (EMBED, embed([[]]), "input.0", "at least 1 item"),
    (EMBED, embed([[1], ["a"]]), "input.1.0", "integer"),
    (EMBED, embed([[1]] * 2049), "input", "at most 2048"),
    (EMBED, embed([[1], [5, 2_000_000]]), "input.1.1", "vocabulary"),
    (EMBED, embed([2_000_000]), "input.0", "vocabulary"),
    (EMBED, {"input": "a"}, "model", "required"),
    (EMBED, {"model": MODEL}, "input", "required"),
    (EMBED, embed("a", model=7), "model", "string"),
    (EMBED, embed("a", model=None), "model", "string"),
    (EMBED, embed("a", dimensions=256), "dimensions", "384"),
    (EMBED, embed("a", dimensions="384"), "dimensions", "integer"),
    (EMBED, embed("a", encoding_format="hex"), "encoding_format", "base64"),
    (EMBED, embed("a", user=1), "user", "string"),
    (EMBED, [], None, "JSON object"),
    (STORE, {}, "documents", "required"),
    (STORE, store(), "documents", "at least 1 item"),
    (STORE, {"documents": None}, "documents", "list"),
    (STORE, {"documents": [None]}, "documents.0", "dictionary"),
    (STORE, store({"text": None}), "documents.0.text", "string"),
    (STORE, store(*[{"text": "t"}] * 257), "documents", "at most 256"),
    (STORE, store({"text": ""}), "documents.0.text", "at least 1 character"),
    (STORE, store({"text": "t"}, {"text": "a" * 20_001}), "documents.1.text", "20000"),
    (STORE, store({"text": "a\0"}), "documents.0.text", "NUL"),
    (STORE, store({"text": "\udfff"}), "documents.0.text", "unicode"),
    (STORE, store({"id": "", "text": "t"}), "documents.0.id", "pattern"),
    (STORE, store({"id": "a b", "text": "t"}), "documents.0.id", "pattern"),
    (STORE, store({"id": "a\0", "text": "t"}), "documents.0.id", "pattern"),
    (STORE, store({"id": "a\n", "text": "t"}), "documents.0.id", "pattern"),
    (STORE, store({"id": "x" * 201, "text": "t"}), "documents.0.id", "pattern"),
    (STORE, store({"id": 7, "text": "t"}), "documents.0.id", "string"),
    (STORE, store({"id": ".", "text": "t"}), "documents.0.id", "no URL"),
    (STORE, store({"id": "..", "text": "t"}), "documents.0.id", "no URL"),
    (STORE, store({"id": "a", "text": "t"}, {"id": "a", "text": "u"}), "documents.1.id", "twice"),
    (STORE, store({"text": "t", "colour": "red"}), "documents.0.colour", "not permitted"),
    (STORE, tagged([]), "documents.0.metadata", "dictionary"),
    (STORE, tagged({"k": "\0"}), "documents.0.metadata.k", "NUL"),
    (STORE, tagged({"k": [{"x": ["a\0"]}]}), "documents.0.metadata.k", "NUL"),
    (STORE, tagged({"k": [{"x\0": 1}]}), "documents.0.metadata.k", "NUL"),
    (STORE, tagged({"a\0": 1}), "documents.0.metadata", "NUL"),
    (STORE, tagged({"k": "\ud800"}), "documents.0.metadata.k", "surrogate"),
    (STORE, tagged({"\ud800": 1}), "documents.0.metadata", "surrogate"),
    (STORE, tagged({"k": float("nan")}), "documents.0.metadata.k", "NaN"),
    (STORE, tagged({"k": [float("inf")]}), "documents.0.metadata.k", "infinite"),
    (STORE, tagged({"k": "x" * 16_384}), "documents.0.metadata", "16384"),
    (STORE, tagged({"k": [10] * 2 + [0] * 8186}), "documents.0.metadata", "not 16385"),
    (STORE, tagged({"k": [1e308] * 60}), "documents.0.metadata", "16384"),
    (STORE, tagged({"k": [{"n": [5e-324]}] * 60}), "documents.0.metadata", "16384"),
    (STORE, tagged({"k": deep(40)}), "documents.0.metadata.k", "32 levels"),
    (SEARCH, {}, "query", "required"),
    (SEARCH, {"query": ""}, "query", "at least 1 character"),
    (SEARCH, {"query": None}, "query", "string"),
    (SEARCH, {"query": "a" * 20_001}, "query", "20000"),
    (SEARCH, {"query": "\0"}, "query", "NUL"),
    (SEARCH, {"query": "q", "limit": 0}, "limit", "greater than or equal to 1"),
    (SEARCH, {"query": "q", "limit": 101}, "limit", "less than or equal to 100"),
    (SEARCH, {"query": "q", "limit": "10"}, "limit", "integer"),
    (SEARCH, {"query": "q", "limit": True}, "limit", "integer"),
    (SEARCH, {"query": "q", "filter": []}, "filter", "dictionary"),
    (SEARCH, {"query": "q", "filter": {"k": [1]}}, "filter.k", "string, number, boolean or null"),
    (SEARCH, {"query": "q", "filter": {"k": {"a": 1}}}, "filter.k", "string, number, boolean or null"),
    (SEARCH, {"query": "q", "filter": {"k": "\0"}}, "filter.k", "NUL"),
    (SEARCH, {"query": "q", "filter": {"k\0": 1}}, "filter", "NUL"),
    (SEARCH, {"query": "q", "filter": {"k": float("nan")}}, "filter.k", "NaN"),
    (SEARCH, {"query": "q", "offset": 1}, "offset", "not permitted"),
    (SEARCH, {"query": "q", "offset": None}, "offset", "not permitted"),
]


@pytest.mark.parametrize(("path", "body", "param", "says"), CASES)
def test_bad_bodies(http: httpx2.Client, path: str, body: Any, param: str | None, says: str) -> None:
    """400, with the field's path and what is wrong or the limit."""
    # json.dumps writes NaN and lone surrogates as a careless client does.
    answer = http.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert says in error["message"]
    assert "\0" not in answer.text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[" * 50_000, "not too deep"),
        (b'{"query": "q", "filter": {"n": ' + b"9" * 5000 + b"}}", "endless numbers"),
        (b'{"query": "q", "filter": {"n": 1e400}}', "infinite"),
    ],
)
def test_bad_json(http: httpx2.Client, content: bytes, says: str) -> None:
    """What is no JSON, or no JSON that anybody could store, is a 400 too."""
    answer = http.post(SEARCH, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert says in answer.json()["error"]["message"]


@pytest.mark.parametrize("bad", ["%00", "a%20b", "a%2Fb", "%ff", "x" * 201])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_bad_ids_in_the_path(http: httpx2.Client, method: str, bad: str) -> None:
    """An id that no document can have is a 400, or, where it changes the path, a 404."""
    answer = http.request(method, f"/v1/documents/{bad}")
    assert answer.status_code == (404 if bad == "a%2Fb" else 400)
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_body_over_the_limit(http: httpx2.Client) -> None:
    """413 in the envelope."""
    answer = http.post(SEARCH, json={"query": "q" * (4 * 2**20)})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"


def test_the_limits_themselves_are_allowed(http: httpx2.Client) -> None:
    """A text of 20,000 characters, an id of 200, metadata of 16,384 bytes without spaces, odd but honest Unicode."""
    full = {"k": [10] + [0] * 8187}
    assert len(json.dumps(full, separators=(",", ":"))) == 16_384
    document = {"id": "A-z0.:_" + "x" * 193, "text": "é" * 20_000, "metadata": full}
    odd = {"text": "\U0001f600 \u200b \x01", "metadata": {"": None, "\U0001f600": [1e20, -0.5, 2**70]}}
    answer = http.post(STORE, json={"documents": [document, odd]})
    assert answer.status_code == 200, answer.text
    stored = http.get(f"{STORE}/{answer.json()['ids'][1]}").json()
    assert (stored["text"], stored["metadata"]) == (odd["text"], odd["metadata"])
