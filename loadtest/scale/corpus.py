"""The documents, the filters, and how many of the documents each of them matches.

Documents are numbered. Their texts are those of the bench, and all vectors are the model's own: hashed or random
vectors lie at about equal distances from any query, so that neither the cost nor the recall of an HNSW index over them
says anything about texts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
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
NONE, STRONG, BOOK = "no filter", "1 in 5,000", "a book on the query's subject"
EVENLY: Final[Mapping[str, Mapping[str, int]]] = {
    NONE: {},
    "half match": {"half": 1},
    "1 in 10": {"tenth": 3},
    STRONG: {"rare": 77},
    "impossible": {"rare": -1},
}
FILTERS: Final = (*EVENLY, BOOK)
LIMIT = 10
QUERIES = 3_000_000  # the number of the first query's text: no document has it


def document(number: int) -> dict[str, Any]:
    """A document as the api takes it."""
    book = number // (SUBJECTS * CHAPTERS) * SUBJECTS + number % SUBJECTS
    numbers = {"half": number % 2, "tenth": number % 10, "rare": number % RARE, "book": book}
    return {"id": f"scale-{number}", "text": text(number), "metadata": {**numbers, "source": "scale", "language": "en"}}


def equals(name: str, query: str) -> Mapping[str, int]:
    """What a filter asks of the metadata: that on a book names the first one on the query's subject."""
    return {"book": subject(query)} if name == BOOK else EVENLY[name]


def matches(name: str, size: int, query: str) -> int:
    """How many of the first `size` documents a filter matches."""
    wanted = equals(name, query).items()
    if name == BOOK:
        return sum(len(range(book, min(size, SUBJECTS * CHAPTERS), SUBJECTS)) for _, book in wanted)
    period = {"half": 2, "tenth": 10, "rare": RARE}
    return min((len(range(value, size, period[key])) if value >= 0 else 0 for key, value in wanted), default=size)


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
        if len(found) != (expected := min(LIMIT, matches(self.name, self.size, texts[0]))):
            return f"{len(found)} results instead of {expected}"
        if any(each["metadata"][key] != value for each in found for key, value in wanted.items()):
            return "a result doesn't match the filter"
        return checks.found(LIMIT)(Answer(200, {}, body)) or None


def search(name: str, size: int) -> Search:
    """How to search with a filter among the first `size` documents."""

    def body(texts: Sequence[str]) -> dict[str, Any]:
        return {"query": texts[0], "limit": LIMIT, "filter": equals(name, texts[0])}

    return Search("/v1/search", body, lambda _: [], name=name, size=size)
