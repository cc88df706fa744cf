"""OpenAI's official client works against the api."""

import array
import base64
import threading
from collections.abc import Iterator
from typing import Literal

import httpx2
import openai
import pytest

from services.api.tests.conftest import MODEL, Start
from stack import EmbeddedStack

# Ids of "hello" and "world" in the vocabulary of BERT, without [CLS] and [SEP].
HELLO, WORLD = 7592, 2088


@pytest.fixture
def client(stack: EmbeddedStack) -> Iterator[openai.OpenAI]:
    """OpenAI's client, given nothing but the address."""
    with openai.OpenAI(base_url=f"{stack.url('api')}/v1", api_key="unused", max_retries=0) as made:
        yield made


def test_strings_and_lists(client: openai.OpenAI) -> None:
    """One text or several give one vector each, in order, with the count of their tokens."""
    one = client.embeddings.create(input="hello", model=MODEL)
    many = client.embeddings.create(input=["world", "hello"], model=MODEL)
    assert [len(each.embedding) for each in many.data] == [384, 384]
    assert [each.index for each in many.data] == [0, 1]
    assert many.data[1].embedding == one.data[0].embedding
    assert one.usage.prompt_tokens == one.usage.total_tokens
    assert many.usage.prompt_tokens > one.usage.prompt_tokens


def test_token_ids(client: openai.OpenAI) -> None:
    """Token ids, flat or in lists, are embedded; the special tokens we add are counted."""
    flat = client.embeddings.create(input=[HELLO, WORLD], model=MODEL)
    lists = client.embeddings.create(input=[[HELLO], [HELLO, WORLD]], model=MODEL)
    assert (len(flat.data), len(lists.data)) == (1, 2)
    assert lists.data[1].embedding == flat.data[0].embedding
    assert flat.usage.prompt_tokens == 4
    assert lists.usage.prompt_tokens == 7


def test_float_and_base64_are_the_same_numbers(client: openai.OpenAI, http: httpx2.Client) -> None:
    """Both forms hold exactly the same float32 values; the client's default is base64."""
    floats = client.embeddings.create(input="same", model=MODEL, encoding_format="float").data[0].embedding
    body = {"input": "same", "model": MODEL, "encoding_format": "base64"}
    packed = http.post("/v1/embeddings", json=body).json()
    decoded = array.array("f", base64.b64decode(packed["data"][0]["embedding"]))
    assert decoded.tolist() == floats
    assert client.embeddings.create(input="same", model=MODEL).data[0].embedding == floats


def test_usage_is_the_workers_count(client: openai.OpenAI, stack: EmbeddedStack) -> None:
    """Tokens are counted by the model's tokenizer, after truncation, not guessed from characters."""
    texts = ["unaffable", "a b c d", "word " * 2000]
    counted = httpx2.post(f"{stack.url('worker')}/embeddings/", json={"texts": texts}).json()["prompt_tokens"]
    assert client.embeddings.create(input=texts, model=MODEL).usage.prompt_tokens == counted


@pytest.mark.parametrize("name", [MODEL, f"sentence-transformers/{MODEL}"])
def test_the_model_goes_by_two_names(client: openai.OpenAI, name: str) -> None:
    """The hub's name for the model works wherever its own does."""
    assert client.models.retrieve(name).id == MODEL
    answer = client.embeddings.create(input="hello", model=name, dimensions=384, user="somebody")
    assert answer.model == MODEL
    assert [each.id for each in client.models.list()] == [MODEL]


def test_an_unknown_model_is_a_404(client: openai.OpenAI) -> None:
    """The client's own exception, with OpenAI's code."""
    with pytest.raises(openai.NotFoundError) as caught:
        client.embeddings.create(input="hello", model="text-embedding-3-small")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("text-embedding-3-small")


@pytest.mark.parametrize("count", [256, 257, 1000, 2048])
@pytest.mark.parametrize("encoding", ["base64", "float"])
def test_large_calls(client: openai.OpenAI, count: int, encoding: Literal["base64", "float"]) -> None:
    """Up to 2,048 texts in one call give as many vectors, each that of its own text; usage is their sum."""
    texts = [f"{encoding} text {'x' * (number % 7)} {count} {number}" for number in range(count)]
    answer = client.embeddings.create(input=texts, model=MODEL, encoding_format=encoding)
    assert [each.index for each in answer.data] == list(range(count))
    assert answer.usage.prompt_tokens == sum(len(text.split()) + 2 for text in texts)
    for number in (0, 255, 256, 511, 512, 999, count - 1):
        if number < count:
            alone = client.embeddings.create(input=texts[number], model=MODEL, encoding_format=encoding)
            assert alone.data[0].embedding == answer.data[number].embedding


def test_the_limit_is_a_setting(start: Start) -> None:
    """MAX_INPUTS=3 takes three texts, and names the limit to whoever sends four."""
    api = start(max_inputs=3)
    assert api.post("/v1/embeddings", json={"input": ["a", "b", "c"], "model": MODEL}).status_code == 200
    refused = api.post("/v1/embeddings", json={"input": ["a", "b", "c", "a"], "model": MODEL})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input")
    assert "at most 3 items, not 4" in refused.json()["error"]["message"]


def test_a_bad_input_of_a_large_call_is_named(http: httpx2.Client) -> None:
    """What the worker refuses in the sixth of eight calls has the number that the caller knows."""
    ids = [[number % 30_000, number // 30_000] for number in range(2048)]
    ids[1500] = [7, 2_000_000]
    error = http.post("/v1/embeddings", json={"input": ids, "model": MODEL}).json()["error"]
    assert error["param"] == "input.1500.1"
    assert "input.1500.1 is 2000000" in error["message"]


def test_every_answer_carries_the_stages(http: httpx2.Client) -> None:
    """Server-Timing names cache, tokenize, queue and inference, for a computed and for a cached text."""
    for _ in range(2):
        answer = http.post("/v1/embeddings", json={"input": "timed", "model": MODEL})
        stages = [entry.split(";")[0] for entry in answer.headers["Server-Timing"].split(", ")]
        assert stages == ["cache", "tokenize", "queue", "inference"]


def test_concurrent_calls_each_get_their_own(client: openai.OpenAI) -> None:
    """Under 8 threads each answer is the answer to that thread's text."""
    alone = {text: client.embeddings.create(input=text, model=MODEL).data[0].embedding for text in "abcdefgh"}
    wrong: list[str] = []

    def ask(text: str) -> None:
        for round_ in range(10):
            got = client.embeddings.create(input=[f"{text}{round_}", text], model=MODEL)
            if got.data[1].embedding != alone[text]:
                wrong.append(text)

    threads = [threading.Thread(target=ask, args=(text,)) for text in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
