"""Requests of a known size, for drills about the worker's speed."""

import json
import random
from dataclasses import replace

from loadtest import checks
from loadtest.openloop import Request
from loadtest.request import Maker
from stack.chat import MODEL as CHAT
from stack.worker_secret import worker_headers

_RUN = random.SystemRandom().getrandbits(48)  # otherwise the texts of the last run with this seed would be in the cache
TEXTS, WORDS = 4, 254
LONG, POPULAR = 300, 40
ANSWER = 21  # tokens at most: the stand-in says its sources again, which other drills have stored
QUESTION = {
    "model": CHAT,
    "messages": [{"role": "user", "content": "What do they say?"}],
    "stream": True,
    "max_tokens": ANSWER,
}
TOKENS = TEXTS * (WORDS + 2)  # tokens of the fake engine: one for each word, and two special ones


def heavy(draw: random.Random, _number: int) -> Request:
    """Four texts of 256 tokens to the worker, which computes about as much in one pass."""
    return _worker([" ".join([f"{draw.getrandbits(24):x}", *["word"] * (WORDS - 1)]) for _ in range(TEXTS)])


def bulk(draw: random.Random, number: int) -> Request:
    """The same, in the bulk lane."""
    asked = heavy(draw, number)
    return replace(asked, headers={**asked.headers, "X-Priority": "bulk"})


def light(draw: random.Random, _number: int) -> Request:
    """One text of four tokens."""
    return _worker([f"{draw.getrandbits(24):x} word"])


def embedding(draw: random.Random, _number: int) -> Request:
    """One fresh text of four tokens to the api. All have one length, so that they share forward passes."""
    return _api(f"{draw.getrandbits(48):x} {_RUN:x}")


def _api(text: str) -> Request:
    body = {"model": "all-MiniLM-L6-v2", "input": text, "encoding_format": "base64"}
    return Request("/v1/embeddings", json.dumps(body).encode())


def long_texts(count: str) -> Maker:
    """So many texts to the worker that the model cuts off."""

    def make(draw: random.Random, _number: int) -> Request:
        return _worker([f"{draw.getrandbits(48):x} " + "word " * LONG for _ in range(int(count))])

    return make


def popular(draw: random.Random, _number: int) -> Request:
    """One of `POPULAR` texts, of which each fills a forward pass."""
    return _api(popular_text(draw.randrange(POPULAR)))


def popular_text(number: int) -> str:
    """One of them; the same in the process of the generator."""
    return f"{number} popular " + "word " * LONG


def chat(_draw: random.Random, _number: int) -> Request:
    """A chat that streams; its question is in the cache."""
    return Request("/v1/chat/completions", json.dumps(QUESTION).encode(), check=checks.streamed)


def short_chat(_draw: random.Random, _number: int) -> Request:
    """The same chat, whose answer is one token: it ends while the answers of others are slow, or held."""
    return Request("/v1/chat/completions", json.dumps({**QUESTION, "max_tokens": 1}).encode(), check=checks.streamed)


def stored(_draw: random.Random, _number: int) -> Request:
    """A document that every steady system has (`drills.system`): it needs the database only."""
    return Request("/v1/documents/drill-0", method="GET", headers={})


def _worker(texts: list[str]) -> Request:
    headers = {"Content-Type": "application/json", "Accept": "application/octet-stream", **worker_headers()}
    return Request("/embeddings/", json.dumps({"texts": texts}).encode(), headers=headers)
