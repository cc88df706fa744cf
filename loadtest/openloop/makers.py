"""Requests of the two services. Each text is fresh, so that no cache has it, unless the name says otherwise."""

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

from loadtest import checks
from loadtest.openloop.request import Request

SENTENCES = Path(__file__).resolve().parents[2] / "tests/data/sentences.txt"
REPEATED = 50  # texts that every run asks for again and again
LONG = 60  # sentences are cut at 256 tokens; these have over 1,000
BATCH = 32
MODEL = "all-MiniLM-L6-v2"
HEADERS = {"Content-Type": "application/json"}


def worker_short(draw: random.Random, number: int) -> Request:
    """Three words."""
    return _worker(" ".join(_sentence(draw).split()[:3]) + _mark(draw, number))


def worker_typical(draw: random.Random, number: int) -> Request:
    """One sentence."""
    return _worker(_sentence(draw) + _mark(draw, number))


def worker_long(draw: random.Random, number: int) -> Request:
    """One text of more than the model's 256 tokens."""
    return _worker(_mark(draw, number) + " ".join(draw.sample(_sentences(), LONG)))


def worker_batch(draw: random.Random, number: int) -> Request:
    """32 sentences."""
    return _worker(*(text + _mark(draw, number) for text in draw.sample(_sentences(), BATCH)))


def api_fresh(draw: random.Random, number: int) -> Request:
    """One sentence that the cache hasn't."""
    return _api(_sentence(draw) + _mark(draw, number))


def api_repeated(draw: random.Random, _number: int) -> Request:
    """One of 50 sentences: from the second time on, the cache has it."""
    return _api(draw.choice(_sentences()[:REPEATED]))


def document(draw: random.Random, number: int) -> Request:
    """Store one document, over one of 1,000."""
    name = f"load-{draw.randrange(1000)}"
    text = _sentence(draw) + _mark(draw, number)
    body = {"documents": [{"id": name, "text": text, "metadata": {"source": "loadtest"}}]}
    return Request("/v1/documents", _json(body), headers=HEADERS, check=checks.stored([name]))


def search(draw: random.Random, number: int) -> Request:
    """The ten nearest documents to a fresh query."""
    body = {"query": _sentence(draw) + _mark(draw, number), "limit": 10}
    return Request("/v1/search", _json(body), headers=HEADERS, check=checks.found(10))


def readyz(_draw: random.Random, _number: int) -> Request:
    """What a load balancer asks."""
    return Request("/readyz", method="GET", headers={})


def _worker(*texts: str) -> Request:
    headers = {**HEADERS, "Accept": "application/octet-stream"}
    return Request("/embeddings/", _json({"texts": texts}), headers=headers, check=checks.rows(len(texts)))


def _api(text: str) -> Request:
    body = {"model": MODEL, "input": text, "encoding_format": "base64"}
    return Request("/v1/embeddings", _json(body), headers=HEADERS, check=checks.embeddings([text]))


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()


@cache
def _sentences() -> list[str]:
    return SENTENCES.read_text().splitlines()


def _sentence(draw: random.Random) -> str:
    return draw.choice(_sentences())


def _mark(draw: random.Random, number: int) -> str:
    """What no other run has: with the seed alone, the next run's texts would be in the cache."""
    return f" {draw.getrandbits(20):x}-{number}-{_RUN:x} "


_RUN = random.SystemRandom().getrandbits(24)
