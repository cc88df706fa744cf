"""The exact search: every vector is compared with the query, as numpy does it, in one space."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from drills.corpus import BATCH, group_of
from stack.http import ask

# A score has six digits; Postgres adds up float32 in another order. Two spaces differ by 0.05 in most scores.
TOLERANCE = 3e-6
SECONDS = 30.0
Rows: TypeAlias = NDArray[np.float64]
Found: TypeAlias = Sequence[tuple[str, float]]


def embed(api: str, model: str, texts: Sequence[str]) -> Rows:
    """The vectors of at most `BATCH` texts (n, dimensions), of a model that the api knows. Raises RuntimeError."""
    body = {"model": model, "input": list(texts), "encoding_format": "base64"}
    answer = ask(f"{api}/v1/embeddings", "POST", body, timeout=SECONDS)
    if answer.status != 200:
        raise RuntimeError(f"{model}: /v1/embeddings answered {answer.status}: {answer.body[:300]!r}")
    raw = [base64.b64decode(each["embedding"]) for each in answer.json()["data"]]
    return np.array([np.frombuffer(each, "<f4") for each in raw], np.float64)


class Space:
    """The vectors of one model. `embedded` returns those of some texts; each text is asked for once."""

    def __init__(self, embedded: Callable[[Sequence[str]], Rows]) -> None:
        self._embedded = embedded
        self._known: dict[str, Rows] = {}

    def learn(self, texts: Iterable[str]) -> None:
        """Ask for those that aren't known."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        for first in range(0, len(new), BATCH):
            some = new[first : first + BATCH]
            self._known |= zip(some, self._embedded(some), strict=True)

    def __contains__(self, text: str) -> bool:
        return text in self._known

    def __getitem__(self, text: str) -> Rows:
        return self._known[text]

    def score(self, query: str, text: str) -> float:
        """The cosine of two known texts."""
        return float(self[query] @ self[text])


class Exact:
    """The exact search among documents (texts by id) of one space, which learns their texts."""

    def __init__(self, space: Space, documents: Mapping[str, str]) -> None:
        space.learn(documents.values())
        self.space = space
        self._ids = sorted(documents)
        self._place = {name: place for place, name in enumerate(self._ids)}
        self._groups = np.array([group_of(name) for name in self._ids])
        self._rows = np.array([space[documents[name]] for name in self._ids])

    def wrong(self, kept: Mapping[str, Any]) -> str:
        """What is wrong with the answer to a search, as its row keeps it, or nothing.

        Each score is the exact one, best first. The answer about a group has all of it; that of the index may leave out
        some (see `overlap`).
        """
        found: Found = kept["found"]
        if kept["query"] not in self.space:
            return "its query was asked in another space only"
        names = [name for name, _ in found]
        scores = self._scores(kept["query"])
        if len(set(names)) < len(names) or not set(names) <= self._place.keys():
            return "a document that doesn't belong there"
        off = max((abs(scores[self._place[name]] - score) for name, score in found), default=0.0)
        if off > TOLERANCE:
            return f"a score that is off by {off:.6f}"
        if any((-score, name) > (-after, other) for (name, score), (other, after) in pairwise(found)):
            return "an order that is not that of the scores"
        if kept["group"] is not None and set(names) != set(self._best(scores, len(self._ids), kept["group"])):
            return f"{len(names)} documents, which are not those of its group"
        return ""

    def overlap(self, kept: Mapping[str, Any]) -> float:
        """The share of the nearest documents that an answer has."""
        names = {name for name, _ in kept["found"]}
        best = self._best(self._scores(kept["query"]), len(names), kept["group"])
        return len(names.intersection(best)) / max(1, len(best))

    def expected(self, limit: int, group: int | None) -> int:
        """How many documents a search finds."""
        return min(limit, len(self._ids) if group is None else int((self._groups == group).sum()))

    def _scores(self, query: str) -> Rows:
        found: Rows = self._rows @ self.space[query]
        return found

    def _best(self, scores: Rows, limit: int, group: int | None) -> list[str]:
        among = np.arange(len(scores)) if group is None else np.flatnonzero(self._groups == group)
        return [self._ids[place] for place in among[np.argsort(-scores[among], kind="stable")][:limit]]
