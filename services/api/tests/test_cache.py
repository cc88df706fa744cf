"""What is stored in Redis, and that Redis never fails a request."""

import asyncio
import struct
import sys
import time
from collections.abc import Mapping
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from pydantic import SecretStr
from redis import Redis

from api.cache import Cache, cache_key, pack, unpack
from api.embedding import Embedding, Item
from api.redis_cache import open_cache
from api.redis_connection import connect
from api.settings import ApiSettings
from api.singleflight import Flight, SingleFlight
from services.api.tests.conftest import MODEL, SHORT, Start
from stack import EmbeddedStack, until

VECTOR = Embedding(tokens=7, packed=struct.pack("<3f", 0.5, -0.25, 1.0))


def test_a_packed_embedding_is_its_token_count_and_float32s() -> None:
    """The value is 4 bytes of count and 4 bytes a dimension, little-endian, and reads back as it was."""
    assert pack(VECTOR) == struct.pack("<I3f", 7, 0.5, -0.25, 1.0)
    assert unpack(pack(VECTOR), dimensions=3) == VECTOR


@pytest.mark.parametrize("value", [None, b"", pack(VECTOR)[:-1], pack(VECTOR) + b"\0", "text"])
def test_a_value_of_another_size_is_a_miss(value: bytes | str | None) -> None:
    """A truncated or foreign value is not served as a vector."""
    assert unpack(value, dimensions=3) is None


def test_keys_differ_by_model_and_by_kind_of_input() -> None:
    """No two of these share a key: another model, another text, token ids that look like the text."""
    alike = (1).to_bytes(8, sys.byteorder).decode()  # a text of the very bytes that are hashed for the ids (1,)
    items: list[Item] = ["1", "2", (1,), (1, 2), (12,), "1,2", alike]
    keys = {cache_key(model, item) for model in ("fp-a", "fp-b") for item in items}
    assert len(keys) == 2 * len(items)


def test_the_prompt_is_a_part_of_the_key() -> None:
    """A text behind a prompt has the key of what the model sees; a prompt changes nothing for token ids."""
    assert cache_key("fp", "text", "query: ") == cache_key("fp", "query: text") != cache_key("fp", "text")
    assert cache_key("fp", (1,), "query: ") == cache_key("fp", (1,))


@pytest.mark.anyio
async def test_without_redis_everything_is_a_miss() -> None:
    """A refused connection is a miss, not an error."""
    async with connect("redis://127.0.0.1:1/0") as client:
        assert await Cache(client, ttl=60, timeout=0.25).get([b"key"], dimensions=3) == {}


@pytest.mark.anyio
async def test_an_answer_goes_before_its_write() -> None:
    """What one call computed is written after the request that waited for it goes on, and both texts in one write."""
    done: list[object] = []

    class Noted(Cache):
        async def _write(self, embeddings: Mapping[bytes, Embedding]) -> None:
            done.append(set(embeddings))

    async with connect("redis://127.0.0.1:9") as client:
        cache = Noted(client, ttl=1, timeout=1)

        async def work(flight: Flight[bytes, None]) -> dict[bytes, None]:
            for key in flight.keys:
                cache.put({key: VECTOR})
            return dict.fromkeys(flight.keys)

        writing = asyncio.create_task(cache.write())
        await asyncio.sleep(0)
        await SingleFlight[bytes, None]().run([b"a", b"b"], work)
        done.append("answer")
        async with asyncio.timeout(10):
            while len(done) < 2:
                await asyncio.sleep(0)
        writing.cancel()
    assert done == ["answer", {b"a", b"b"}]


def dropped() -> float:
    """Texts so far."""
    return REGISTRY.get_sample_value("api_cache_writes_total", {"result": "dropped"}) or 0.0


@pytest.mark.anyio
@pytest.mark.parametrize("turns", range(6))
async def test_a_miss_is_written_or_counted_as_dropped(turns: int) -> None:
    """Whenever the process stops: while the text waits, when the writer has just taken it, and after the write."""
    written: list[bytes] = []

    class Noted(Cache):
        async def _write(self, embeddings: Mapping[bytes, Embedding]) -> None:
            written.extend(embeddings)

    async with connect("redis://127.0.0.1:9") as client:
        cache, before = Noted(client, ttl=1, timeout=1), dropped()
        writing = asyncio.create_task(cache.write())
        await asyncio.sleep(0)
        cache.put({b"a": VECTOR})
        for _ in range(turns):
            await asyncio.sleep(0)
        writing.cancel()
        cache.close()
        await asyncio.wait([writing])
    assert len(written) + dropped() - before == 1


@pytest.mark.anyio
async def test_a_cache_that_closes_counts_what_still_waits(stack: EmbeddedStack) -> None:
    """Here its writer has not even begun."""
    app, before = FastAPI(), dropped()
    app.state.settings = ApiSettings(redis_url=SecretStr(stack.url("valkey")))
    app.state.lifecycle = SimpleNamespace(spawn=lambda *_: asyncio.create_task(asyncio.sleep(3600)))
    async with open_cache(app) as cache:
        cache.put({b"a": VECTOR, b"b": VECTOR})
    assert dropped() - before == 2


def test_a_repeated_text_comes_from_redis(stack: EmbeddedStack, start: Start) -> None:
    """The stored value is what is answered: token count and vector, under fingerprint and text hash."""
    client = start()
    fingerprint = client.get("/v1/models").json()["data"][0]["fingerprint"]
    planted = Embedding(tokens=99, packed=struct.pack("<384f", *[0.5] * 384))
    with Redis.from_url(stack.url("valkey")) as redis:
        redis.set(cache_key(fingerprint, "planted"), pack(planted))
    answer = client.post("/v1/embeddings", json={"input": ["planted"], "model": MODEL}).json()
    assert answer["data"][0]["embedding"] == [0.5] * 384
    assert answer["usage"] == {"prompt_tokens": 99, "total_tokens": 99}


def test_a_miss_is_written_with_its_time_to_live(stack: EmbeddedStack, start: Start) -> None:
    """What the worker computed sits in Redis soon after, and expires within CACHE_TTL."""
    client = start(cache_ttl=1000)
    fingerprint = client.get("/v1/models").json()["data"][0]["fingerprint"]
    text = f"written at {time.time_ns()}"
    answer = client.post("/v1/embeddings", json={"input": text, "model": MODEL}).json()
    key = cache_key(fingerprint, text)
    with Redis.from_url(stack.url("valkey")) as redis:
        value = until(lambda: redis.get(key), 20, "the written embedding")
        assert 990 < redis.ttl(key) <= 1000
    embedding = unpack(value, dimensions=384)
    assert embedding
    assert embedding.floats() == answer["data"][0]["embedding"]


def test_a_hung_redis_fails_no_request(stack: EmbeddedStack, start: Start) -> None:
    """While Redis is stopped in its tracks, texts are embedded as if they were new."""
    client = start(cache_timeout=SHORT)
    stack.pause("valkey")
    try:
        texts = ["hung", "redis"]
        answers = [client.post("/v1/embeddings", json={"input": texts, "model": MODEL}) for _ in range(5)]
    finally:
        stack.resume("valkey")
    assert [answer.status_code for answer in answers] == [200] * 5
