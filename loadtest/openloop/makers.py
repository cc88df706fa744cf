"""Requests of the two services. Each text is fresh, so that no cache has it, unless the name says otherwise."""

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

from loadtest import checks
from loadtest.request import Request
from stack.worker_secret import worker_headers

SENTENCES = Path(__file__).resolve().parents[2] / "tests/data/sentences.txt"
REPEATED = 50  # texts that every run repeats
LONG = 60  # sentences are cut at 256 tokens; these have over 1,000
BATCH = 32
API_BATCH = 8
DOCUMENTS = 32  # of a call of `documents`
STORED = 2400  # that `documents` replaces
MODEL = "all-MiniLM-L6-v2"
HEADERS = {"Content-Type": "application/json"}

asked_to_store: set[str] = set()  # ids of documents in requests of this process


def worker_short(draw: random.Random, number: int) -> Request:
    """Three words."""
    return _worker(_words(draw) + mark(draw, number))


def worker_typical(draw: random.Random, number: int) -> Request:
    """One sentence."""
    return _worker(sentence(draw) + mark(draw, number))


def worker_long(draw: random.Random, number: int) -> Request:
    """One text of more than the model's 256 tokens."""
    return _worker(_long(draw, number))


def worker_batch(draw: random.Random, number: int) -> Request:
    """32 sentences."""
    return _worker(*(text + mark(draw, number) for text in draw.sample(sentences(), BATCH)))


def api_fresh(draw: random.Random, number: int) -> Request:
    """One sentence that the cache hasn't."""
    return api_embeddings(sentence(draw) + mark(draw, number))


def api_short(draw: random.Random, number: int) -> Request:
    """Three words."""
    return api_embeddings(_words(draw) + mark(draw, number))


def api_long(draw: random.Random, number: int) -> Request:
    """One text of more than the model's 256 tokens."""
    return api_embeddings(_long(draw, number))


def api_batch(draw: random.Random, number: int) -> Request:
    """Eight sentences."""
    return api_embeddings(*(text + mark(draw, number) for text in draw.sample(sentences(), API_BATCH)))


def api_repeated(draw: random.Random, _number: int) -> Request:
    """One of 50 sentences: after its first time, the cache has it."""
    return api_embeddings(draw.choice(repeated_texts()))


def repeated_texts() -> list[str]:
    """The 50 repeated sentences."""
    return sentences()[:REPEATED]


def api_embeddings(*texts: str) -> Request:
    """These texts, in one call."""
    body = {"model": MODEL, "input": texts, "encoding_format": "base64"}
    return Request("/v1/embeddings", _json(body), headers=HEADERS, check=checks.embeddings(texts))


def document(draw: random.Random, number: int) -> Request:
    """Store one document, over one of 1,000."""
    return store(f"load-{draw.randrange(1000)}", sentence(draw) + mark(draw, number))


def documents(draw: random.Random, number: int) -> Request:
    """Store 32 documents, in the place of others; 75 calls store all `STORED`."""
    first = number * DOCUMENTS % STORED
    texts = [text + mark(draw, number) for text in draw.sample(sentences(), DOCUMENTS)]
    body = {"documents": [{"id": f"bulk-{first + place}", "text": text} for place, text in enumerate(texts)]}
    ids = [f"bulk-{first + place}" for place in range(DOCUMENTS)]
    return Request("/v1/documents", _json(body), headers=HEADERS, check=checks.stored(ids))


def store(name: str, text: str) -> Request:
    """Store this document."""
    asked_to_store.add(name)
    body = {"documents": [{"id": name, "text": text, "metadata": {"source": "loadtest"}}]}
    return Request("/v1/documents", _json(body), headers=HEADERS, check=checks.stored([name]))


def search(draw: random.Random, number: int) -> Request:
    """The ten nearest documents to a fresh query."""
    return search_for(sentence(draw) + mark(draw, number))


def search_for(text: str) -> Request:
    """The ten nearest documents to this."""
    return Request("/v1/search", _json({"query": text, "limit": 10}), headers=HEADERS, check=checks.found(10))


def readyz(_draw: random.Random, _number: int) -> Request:
    """The request of a load balancer."""
    return Request("/readyz", method="GET", headers={})


def livez(_draw: random.Random, _number: int) -> Request:
    """The request of a kubelet."""
    return Request("/livez", method="GET", headers={})


def _worker(*texts: str) -> Request:
    headers = {**HEADERS, **worker_headers(), "Accept": "application/octet-stream"}
    return Request("/embeddings/", _json({"texts": texts}), headers=headers, check=checks.rows(len(texts)))


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()


@cache
def sentences() -> list[str]:
    """All of them."""
    return SENTENCES.read_text().splitlines()


def sentence(draw: random.Random) -> str:
    """One of them."""
    return draw.choice(sentences())


def _words(draw: random.Random) -> str:
    return " ".join(sentence(draw).split()[:3])


def _long(draw: random.Random, number: int) -> str:
    return mark(draw, number) + " ".join(draw.sample(sentences(), LONG))


def mark(draw: random.Random, number: int) -> str:
    """Words that no other run has: with the seed alone, the next run would repeat the texts."""
    return f" {draw.getrandbits(20):x}-{number}-{_RUN:x} "


_RUN = random.SystemRandom().getrandbits(24)
