"""The documents that the drills of a model's replacement search, and the requests of their load."""

import json
import random
from collections.abc import Iterator
from functools import partial
from typing import Any

from loadtest import checks
from loadtest.openloop import Request
from loadtest.openloop.makers import mark, sentence, sentences
from loadtest.request import Maker
from stack.http import Answer

FILED, WRITTEN = "filed", "written"  # two sets of documents: one that never changes, and what the load writes
GROUP = 40  # documents that a filter selects: all of them are asked for, and come from the exact search
NEAREST, ALL = 10, 100  # limits of searches: through the index, and for a whole group
IDS = 400  # of documents that the load writes, each again and again, seconds apart
BATCH = 256
QUERY = "what was written"


def filed(count: int) -> dict[str, str]:
    """Texts by id."""
    return {f"{FILED}-{number:06d}": f"{sentences()[number % len(sentences())]} {number}" for number in range(count)}


def group_of(name: str) -> int:
    """The group of a document, by its id."""
    return int(name.rpartition("-")[2]) // GROUP


def calls(documents: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Bodies of calls that store them."""
    whole = [_document(name, text) for name, text in documents.items()]
    for first in range(0, len(whole), BATCH):
        yield {"documents": whole[first : first + BATCH]}


def _document(name: str, text: str) -> dict[str, Any]:
    return {"id": name, "text": text, "metadata": {"drill": name.partition("-")[0], "group": group_of(name)}}


def search(query: str, limit: int, kind: str, group: int | None = None) -> dict[str, Any]:
    """The body of a search in one set of documents, or in one group of it."""
    wanted = {"drill": kind} if group is None else {"drill": kind, "group": group}
    return {"query": query, "limit": limit, "filter": wanted}


def nearest(draw: random.Random, number: int) -> Request:
    """The ten nearest documents to a fresh query: the index finds them."""
    return _search(sentence(draw) + mark(draw, number), NEAREST)


def group(count: str) -> Maker:
    """All documents of one of `count` groups, best first: the index finds too few, so the exact search does."""

    def make(draw: random.Random, number: int) -> Request:
        return _search(sentence(draw) + mark(draw, number), ALL, draw.randrange(int(count)))

    return make


def _search(query: str, limit: int, group: int | None = None) -> Request:
    body = search(query, limit, FILED, group)
    keep = partial(_found, query, group)
    return Request("/v1/search", json.dumps(body).encode(), check=checks.found(limit), keep=keep)


def _found(query: str, group: int | None, answer: Answer) -> dict[str, Any]:
    results = json.loads(answer.body)["results"]
    return {"query": query, "group": group, "found": [[each["id"], each["score"]] for each in results]}


def write(draw: random.Random, number: int) -> Request:
    """Store one document of those that the load writes, with a fresh text."""
    document = _document(f"{WRITTEN}-{number % IDS:06d}", sentence(draw) + mark(draw, number))
    body = json.dumps({"documents": [document]}).encode()
    kept = {"id": document["id"], "text": document["text"]}
    return Request("/v1/documents", body, check=checks.stored([document["id"]]), keep=lambda _: kept)
