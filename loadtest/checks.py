"""Checks of answers: dimension, norm, identity. Each returns what is wrong, or nothing."""

import base64
import json
import math
import re
from array import array
from collections.abc import Callable, Sequence

from stack.http import Answer

DIMENSIONS = 384
NORM_TOLERANCE = 1e-3
# Vectors of one text differ a little between batches, with bf16 more. One other word brings the cosine below 0.9.
SAME = 0.999
FINISHED = re.compile(rb'"finish_reason":"(stop|length)"')  # length: as long as it was asked for at most

Check = Callable[[Answer], str]


def both(first: Check | None, second: Check | None) -> Check:
    """One check and then, of an answer that it found right, another."""
    return lambda answer: (first(answer) if first else "") or (second(answer) if second else "")


class Identity:
    """The same text must get the same vector, and all answers must come from the same model."""

    def __init__(self) -> None:
        self._vectors: dict[str, array[float]] = {}
        self.fingerprint = ""

    def check(self, text: str, vector: "array[float]") -> str:
        """Compare with the first vector of this text."""
        known = self._vectors.setdefault(text, vector)
        cosine = math.fsum(a * b for a, b in zip(known, vector, strict=True))
        return "" if cosine > SAME else f"another vector for the same text, cosine {cosine:.4f}"

    def check_fingerprint(self, answer: Answer) -> str:
        """Compare with the model of the first answer."""
        found = answer.headers.get("x-model-fingerprint", "")
        self.fingerprint = self.fingerprint or found
        return "" if found == self.fingerprint else "the model's fingerprint changed"


def rows(count: int) -> Check:
    """The worker's binary form: `count` unit rows of little-endian float32."""

    def check(answer: Answer) -> str:
        if len(answer.body) != count * DIMENSIONS * 4:
            return f"{len(answer.body)} bytes instead of {count} x {DIMENSIONS} floats"
        return next(filter(None, map(_norm, _split(answer.body))), "")

    return check


def embeddings(texts: Sequence[str], identity: Identity | None = None) -> Check:
    """The api's answer with base64, a unit vector for each text."""

    def check(answer: Answer) -> str:
        data = json.loads(answer.body)["data"]
        if len(data) != len(texts):
            return f"{len(data)} embeddings for {len(texts)} texts"
        for text, item in zip(texts, data, strict=True):
            raw = base64.b64decode(item["embedding"])
            if len(raw) != DIMENSIONS * 4:
                return f"{len(raw)} bytes instead of {DIMENSIONS} floats"
            [vector] = _split(raw)
            if wrong := _norm(vector) or (identity.check(text, vector) if identity else ""):
                return wrong
        return ""

    return check


def stored(ids: Sequence[str]) -> Check:
    """Check that the answer has the given ids, in order."""

    def check(answer: Answer) -> str:
        found = json.loads(answer.body)["ids"]
        return "" if found == list(ids) else f"ids {found} instead of {list(ids)}"

    return check


def found(limit: int) -> Check:
    """Check that there are at most `limit` results, best first, whose scores are cosines."""

    def check(answer: Answer) -> str:
        scores = [result["score"] for result in json.loads(answer.body)["results"]]
        if len(scores) > limit:
            return f"{len(scores)} results, limit {limit}"
        if scores != sorted(scores, reverse=True):
            return "results are not in the order of their scores"
        return "" if all(-1.001 <= score <= 1.001 for score in scores) else "a score is no cosine"

    return check


def streamed(answer: Answer) -> str:
    """Check that a stream of a chat has come to its end: why it finished and `[DONE]`, or else an error event."""
    *_, last = (b"", *filter(None, answer.body.split(b"\n\n")))
    if last.startswith(b'data: {"error"'):
        return ""
    whole = last == b"data: [DONE]" and FINISHED.search(answer.body)
    return "" if whole else "the stream was cut"


def best_is(name: str) -> Check:
    """Check that the first result is this document."""

    def check(answer: Answer) -> str:
        results = json.loads(answer.body)["results"]
        best = results[0]["id"] if results else "nothing"
        return "" if best == name else f"the best result is {best} instead of {name}"

    return check


def _split(raw: bytes) -> "list[array[float]]":
    values = array("f", raw)
    return [values[start : start + DIMENSIONS] for start in range(0, len(values), DIMENSIONS)]


def _norm(vector: "array[float]") -> str:
    norm = math.sqrt(math.fsum(value * value for value in vector))
    return "" if abs(norm - 1) < NORM_TOLERANCE else f"norm {norm:.4f} instead of 1"
