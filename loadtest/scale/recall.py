"""Compares the api's searches with exact ones of the same vectors."""

import time
from dataclasses import dataclass
from itertools import islice
from typing import Final

import orjson

from loadtest.bench.dialects import API, Dialect
from loadtest.scale.corpus import HALF, NONE, SHELF, TENTH, equals, queries, search
from loadtest.scale.database import Database
from stack import StackError
from stack.http import ask
from stack.ports import HOST

OWN = 1_000_000  # places of these queries' numbers behind the first: measured searches don't come so far
COMPARED: Final = (NONE, HALF, TENTH, SHELF)
ANSWER_SECONDS = 30.0
# Scores are rounded to six digits, and computed in another order.
ROUNDING = 2e-6


@dataclass(frozen=True)
class Comparison:
    """Of the searches of the api at `port` with those of `database`: so many queries, or as many as fit the seconds."""

    port: int
    database: Database
    queries: int
    seconds: float

    async def recall(self, name: str, size: int) -> tuple[float, int]:
        """The share of the ten best of `size` documents with a filter that the api finds, and over how many queries.

        A document that is as near as the tenth counts as one of the ten.
        """
        right = wanted = compared = 0
        until = time.monotonic() + self.seconds
        for query in islice(queries(OWN), self.queries):
            [vector] = API.vectors(self._ask(API, query))
            best = await self.database.scores(vector.tolist(), equals(name, query[0]))
            found = orjson.loads(self._ask(search(name, size), query))["results"]
            right += sum(each["score"] >= best[-1] - ROUNDING for each in found)
            wanted += len(best)
            compared += 1
            if time.monotonic() > until:
                break
        return right / wanted, compared

    def _ask(self, dialect: Dialect, query: list[str]) -> bytes:
        answer = ask(f"http://{HOST}:{self.port}{dialect.path}", "POST", dialect.body(query), ANSWER_SECONDS)
        if answer.status != 200:
            raise StackError(f"{dialect.path} answered {answer.status}: {answer.body[:200]!r}")
        return answer.body
