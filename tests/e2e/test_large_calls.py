"""Large calls to the api with the real model: served as a whole, or refused at once with what would fit."""

import re
from typing import Any

from openai import OpenAI

from stack import Stack
from tests.harness import get

SENTENCE = "Number {} is a text of usual length, of which a client sends as many in one call as it likes. "


def embed(api: int, texts: list[str]) -> Any:
    """The answer of one call."""
    return get(api, "/v1/embeddings", "POST", {"model": "all-MiniLM-L6-v2", "input": texts}, timeout=30)


def test_600_texts_in_one_call(stack: Stack) -> None:
    """More than the worker takes at a time comes back in order: each vector is that of its own text alone."""
    client = OpenAI(base_url=f"{stack.url('api')}/v1", api_key="none", max_retries=0)
    texts = [f"text {number}" for number in range(600)]
    answer = client.embeddings.create(model="all-MiniLM-L6-v2", input=texts)
    assert [item.index for item in answer.data] == list(range(600))
    for number in (0, 255, 256, 599):
        [alone] = client.embeddings.create(model="all-MiniLM-L6-v2", input=texts[number]).data
        cosine = sum(one * other for one, other in zip(alone.embedding, answer.data[number].embedding, strict=True))
        assert cosine > 0.999


def test_what_can_not_end_in_time_is_refused_with_what_would_fit(api: int) -> None:
    """2,048 texts of 1,000 characters get a 413 before anything is computed; half of what it says fits is served."""
    texts = [SENTENCE.format(number) * 11 for number in range(2048)]
    refused = embed(api, texts)
    error = refused.json()["error"]
    assert (refused.status, error["code"], error["param"]) == (413, "too_many_tokens", "input")
    fitting = re.search(r"about \d+ tokens, (\d+) texts of this size, would fit", error["message"])
    assert fitting, error["message"]
    assert embed(api, texts[: int(fitting[1]) // 2]).status == 200
