"""Deterministic vectors from a hash: the real interface without a model."""

import hashlib
import zlib
from collections.abc import Sequence

import numpy as np

from worker.engines.base import TokenIds, Vectors

_FIRST, _LAST = 101, 102
_SPECIAL = 1000  # ids below it are not made from words


class FakeEngine:
    """A token is a word, a vector a hash of the ids: equal for equal ids, else nearly orthogonal.

    Args:
        model: whose vectors they are; those of two models can't be compared.
    """

    name = "fake"
    precision = "fp32"
    dimensions = 384
    max_tokens = 256
    cut = "right"
    vocabulary_size = 30_522
    lengths: Sequence[int] = ()
    rows: Sequence[int] = ()

    def __init__(self, model: str = "") -> None:
        self._model = model.encode()

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """One id for each word that white space separates."""
        return [self.from_ids([self._id(word) for word in text.split()]) for text in texts]

    def from_ids(self, ids: Sequence[int]) -> TokenIds:
        """The ids between a first and a last special token."""
        return [_FIRST, *ids[: self.max_tokens - 2], _LAST]

    def embed(self, batch: Sequence[TokenIds]) -> Vectors:
        """Unit rows; a byte of the hash is a coordinate."""
        hashes = b"".join(map(self._hash, batch))
        rows = np.frombuffer(hashes, np.uint8).reshape(len(batch), self.dimensions).astype(np.float32) - 127.5
        unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    def _id(self, word: str) -> int:
        return _SPECIAL + zlib.crc32(word.encode()) % (self.vocabulary_size - _SPECIAL)

    def _hash(self, ids: TokenIds) -> bytes:
        return hashlib.shake_256(self._model + np.array(ids, "<u4").tobytes()).digest(self.dimensions)
