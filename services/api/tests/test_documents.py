"""Documents are stored, replaced, read and deleted by id."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2


def store(http: httpx2.Client, *documents: dict[str, Any]) -> list[str]:
    """Store documents and return their ids."""
    answer = http.post("/v1/documents", json={"documents": documents})
    assert answer.status_code == 200, answer.text
    ids: list[str] = answer.json()["ids"]
    return ids


def test_ids_come_back_in_order_and_are_made_when_absent(http: httpx2.Client) -> None:
    """Given ids are kept, absent ones are made, and the answer has the order of the call."""
    ids = store(http, {"id": "z", "text": "last"}, {"text": "nameless"}, {"id": "a", "text": "first"})
    assert (ids[0], ids[2]) == ("z", "a")
    assert re.fullmatch("[0-9a-f]{32}", ids[1])
    assert http.get(f"/v1/documents/{ids[1]}").json()["text"] == "nameless"


def test_a_document_is_read_as_it_was_written(http: httpx2.Client) -> None:
    """Text and nested metadata survive, and the document names the model that embedded it."""
    metadata = {"tags": ["a", {"b": None}], "price": 1.5, "sold": False}
    store(http, {"id": "whole", "text": "Käse & 🧀", "metadata": metadata})
    found = http.get("/v1/documents/whole").json()
    assert (found["id"], found["text"], found["metadata"]) == ("whole", "Käse & 🧀", metadata)
    assert found["model"] == http.get("/v1/models").json()["data"][0]["fingerprint"]


def test_storing_again_replaces(http: httpx2.Client) -> None:
    """The second text is the one that is read and found; no metadata of the first is left."""
    store(http, {"id": "twice", "text": "the first text", "metadata": {"version": 1}})
    store(http, {"id": "twice", "text": "the second text"})
    assert http.get("/v1/documents/twice").json()["metadata"] == {}
    best = http.post("/v1/search", json={"query": "the second text", "limit": 1}).json()["results"][0]
    assert (best["id"], best["text"]) == ("twice", "the second text")


def test_deleting(http: httpx2.Client) -> None:
    """204 once, then 404 for deleting and for reading."""
    store(http, {"id": "gone", "text": "soon gone"})
    deleted = http.delete("/v1/documents/gone")
    assert (deleted.status_code, deleted.content) == (204, b"")
    for answer in (http.delete("/v1/documents/gone"), http.get("/v1/documents/gone")):
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "document_not_found"


def test_the_same_documents_stored_at_once_do_not_deadlock(http: httpx2.Client) -> None:
    """Calls with the same ids in opposite orders all succeed."""
    documents = [{"id": f"shared-{number}", "text": f"shared text {number}"} for number in range(50)]

    def call(turn: int) -> int:
        body = {"documents": documents if turn % 2 else documents[::-1]}
        return http.post("/v1/documents", json=body).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(call, range(32))) == {200}


def test_answers_carry_the_stages_and_the_database(http: httpx2.Client) -> None:
    """Server-Timing of storing and searching has the embedding's stages and the time in Postgres."""
    stages = ["cache", "tokenize", "queue", "inference", "database"]
    stored = http.post("/v1/documents", json={"documents": [{"text": "timed"}]})
    found = http.post("/v1/search", json={"query": "timed"})
    for answer in (stored, found):
        assert [entry.split(";")[0] for entry in answer.headers["Server-Timing"].split(", ")] == stages
