"""How to ask each kind of server for embeddings, and how to read its answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from loadtest.request import Request

BINARY = "application/octet-stream"


@dataclass(frozen=True)
class Dialect:
    """A route, its body, and the place of the vectors in its answer."""

    path: str
    body: Callable[[Sequence[str]], Any]
    rows: Callable[[Any], list[list[float]]]
    accept: str = field(default="application/json")

    def request(self, texts: Sequence[str]) -> bytes:
        """A whole HTTP request."""
        return self.asked(texts).wire()

    def asked(self, texts: Sequence[str]) -> Request:
        """The request for these texts."""
        headers = {"Content-Type": "application/json", "Accept": self.accept}
        return Request(self.path, orjson.dumps(self.body(texts)), headers=headers)

    def vectors(self, body: bytes) -> NDArray[np.float32]:
        """The rows of an answer, (texts, dimensions). Raises ValueError or KeyError for anything else."""
        return np.asarray(self.rows(orjson.loads(body)), np.float32)

    def wrong(self, body: bytes, texts: Sequence[str]) -> str | None:
        """What is wrong with an answer to these texts, None if nothing is. Raises ValueError or KeyError."""
        return check(self.vectors(body), len(texts))


def _openai_rows(answer: Any) -> list[list[float]]:
    return [each["embedding"] for each in answer["data"]]


def _openai(path: str, model: str) -> Dialect:
    return Dialect(path, lambda texts: {"model": model, "input": texts}, _openai_rows)


WORKER = Dialect("/embeddings/", lambda texts: {"texts": texts}, lambda answer: answer["embeddings"])
API = _openai("/v1/embeddings", "all-MiniLM-L6-v2")
INFINITY = _openai("/embeddings", "model")


def check(vectors: NDArray[np.float32], texts: int) -> str | None:
    """What is wrong with the vectors of so many texts, None if nothing is."""
    if vectors.ndim != 2 or len(vectors) != texts:
        return f"{vectors.shape} values for {texts} texts"
    lengths = np.linalg.norm(vectors, axis=1)
    return None if np.allclose(lengths, 1, atol=0.01) else f"a vector of length {lengths.min():.3f}"
