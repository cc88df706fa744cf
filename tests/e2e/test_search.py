"""Semantic search over real sentences, through the real model and the real database."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness import get

DATA = Path(__file__).parents[1] / "data"
SENTENCES = (DATA / "sentences.txt").read_text().splitlines()
PAIRS = json.loads((DATA / "queries.json").read_text())
BATCH = 50


def post(port: int, path: str, payload: object) -> Any:
    """The JSON answer of a request that must succeed."""
    answer = get(port, path, "POST", payload, timeout=30)
    assert answer.status == 200, answer.body
    return answer.json()


@pytest.fixture(scope="module")
def indexed(stack: Any) -> int:
    """The api's port, with every sentence indexed until the stack goes; even lines carry `{"half": "even"}`."""
    port = int(stack.url("api").rsplit(":", 1)[1])
    documents = [
        {"id": f"s{n}", "text": text, "metadata": {"half": "odd" if n % 2 else "even", "line": n}}
        for n, text in enumerate(SENTENCES)
    ]
    for start in range(0, len(documents), BATCH):
        batch = documents[start : start + BATCH]
        assert post(port, "/v1/documents", {"documents": batch})["ids"] == [each["id"] for each in batch]
    return port


def test_there_are_two_thousand_sentences() -> None:
    """The corpus holds at least 2,000 distinct sentences."""
    assert len(set(SENTENCES)) >= 2000


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair["query"][:40])
def test_the_right_sentence_ranks_first(indexed: int, pair: dict[str, str]) -> None:
    """A question finds the sentence that answers it before all others."""
    best = post(indexed, "/v1/search", {"query": pair["query"], "limit": 3})["results"]
    assert best[0]["text"] == pair["document"], best


@pytest.mark.parametrize("filtered", [False, True])
def test_a_limit_of_100_gives_100(indexed: int, filtered: bool) -> None:
    """`limit` 100 returns 100 distinct results, best first, also with a filter, which every one of them meets."""
    query = {"query": "a volcano on an island", "limit": 100}
    wanted = {"half": "even"} if filtered else {}
    results = post(indexed, "/v1/search", query | {"filter": wanted})["results"]
    scores = [each["score"] for each in results]
    assert len({each["id"] for each in results}) == 100
    assert scores == sorted(scores, reverse=True)
    assert all(wanted.items() <= each["metadata"].items() for each in results)


def test_a_rare_filter_gives_all_that_match(indexed: int) -> None:
    """A filter that one document meets finds it, however far it is from the query."""
    results = post(indexed, "/v1/search", {"query": "a volcano on an island", "filter": {"line": 1234}})["results"]
    assert [each["id"] for each in results] == ["s1234"]
