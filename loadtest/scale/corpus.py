"""The documents, the filters, and how many of the documents each of them matches.

Documents are numbered. Their texts are those of the bench, and all vectors are the model's own: hashed or random
vectors lie at about equal distances from any query, so that neither the cost nor the recall of an HNSW index over them
says anything about texts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from itertools import count, islice
from typing import Any, Final

import orjson

from loadtest import checks
from loadtest.bench.dialects import Dialect
from loadtest.bench.texts import sentences, subject, text
from loadtest.request import Request
from stack.http import Answer

RARE = 5000  # one in so many documents matches the strong filter
SUBJECTS = len(sentences())
CHAPTERS = 5  # documents of a book, all about its subject
NONE, HALF, TENTH, STRONG = "no filter", "half match", "1 in 10", "1 in 5,000"
SHELF, BOOK = "1 in 10 subjects", "a book on the query's subject"
SAME: Final[Mapping[str, Mapping[str, int]]] = {
    NONE: {},
    HALF: {"half": 1},
    TENTH: {"tenth": 3},
    STRONG: {"rare": 47},
    "impossible": {"rare": -1},
    SHELF: {"shelf": 3},
}
FILTERS: Final = (*SAME, BOOK)
LIMIT = 10
QUERIES = 3_000_000  # the number of the first query's text: no document has it


def document(number: int) -> dict[str, Any]:
    """A document as the api takes it."""
    numbers = {**_numbers(number), "source": "scale", "language": "en"}
    return {"id": f"scale-{number}", "text": text(number), "metadata": numbers}


def _numbers(number: int) -> dict[str, int]:
    """What filters ask of the metadata: shelf and book go with the text's first half, the others with nothing.

    `number % 10` would go with it, too, since `SUBJECTS` is a multiple of 10: of the documents about a subject, all
    would match or none.
    """
    evenly = int.from_bytes(blake2b(b"%d" % number, digest_size=8).digest())
    return {
        "half": evenly % 2,
        "tenth": evenly % 10,
        "rare": evenly % RARE,
        "shelf": number % SUBJECTS % 10,
        "book": number // (SUBJECTS * CHAPTERS) * SUBJECTS + number % SUBJECTS,
    }


def equals(name: str, query: str) -> Mapping[str, int]:
    """What a filter asks of the metadata: that on a book names the first one on the query's subject."""
    return {"book": subject(query)} if name == BOOK else SAME[name]


def expected(name: str, size: int, query: str) -> int:
    """How many results a search has among the first `size` documents."""
    if name == BOOK:
        return min(LIMIT, len(range(subject(query), min(size, SUBJECTS * CHAPTERS), SUBJECTS)))
    return _expected(name, size)


@cache
def _expected(name: str, size: int) -> int:
    wanted = SAME[name].items()
    return sum(1 for _ in islice((each for each in range(size) if wanted <= _numbers(each).items()), LIMIT))


def queries(first: int = 0) -> Iterator[list[str]]:
    """Queries that no run sends twice, one at a time, for ever."""
    return ([text(number)] for number in count(QUERIES + first))


def store(numbers: Sequence[int]) -> Request:
    """Store these documents."""
    body = orjson.dumps({"documents": [document(number) for number in numbers]})
    return Request("/v1/documents", body)


@dataclass(frozen=True)
class Search(Dialect):
    """Searches with the named filter among so many documents."""

    name: str = NONE
    size: int = 0

    def wrong(self, body: bytes, texts: Sequence[str]) -> str | None:
        """As `Dialect.wrong`: there are as many results as match, all of them match, and the best come first."""
        found, wanted = orjson.loads(body)["results"], equals(self.name, texts[0])
        if len(found) != (most := expected(self.name, self.size, texts[0])):
            return f"{len(found)} results instead of {most}"
        if any(each["metadata"][key] != value for each in found for key, value in wanted.items()):
            return "a result doesn't match the filter"
        return checks.found(LIMIT)(Answer(200, {}, body)) or None


def search(name: str, size: int) -> Search:
    """How to search with a filter among the first `size` documents."""
    expected(name, size, "")  # counted now, not while answers are measured

    def body(texts: Sequence[str]) -> dict[str, Any]:
        return {"query": texts[0], "limit": LIMIT, "filter": equals(name, texts[0])}

    return Search("/v1/search", body, lambda _: [], name=name, size=size)
