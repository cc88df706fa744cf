"""Measures searches with each filter beside embeddings without a search, in rounds in rotating order."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from loadtest.bench.closed_loop import closed_loop
from loadtest.bench.dialects import API
from loadtest.scale.corpus import FILTERS, queries, search
from stack.http import Answer
from warmstart.http.timing import Timings

CLIENTS: Final = (1, 8, 32)
EMBEDDING = "embedding alone"
KINDS: Final = (EMBEDDING, *FILTERS)
WARM = 0.5  # seconds of load that don't count


@dataclass
class Measured:
    """One kind of request by so many clients in one round; `database_ms` is what the api says that Postgres took."""

    kind: str
    clients: int
    round: int
    per_s: float
    cpu: float  # the load generator's share of one CPU
    ms: list[float] = field(default_factory=list)
    database_ms: list[float] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)


class Searches:
    """Those of a whole run: no query is sent twice, so that each is embedded."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._queries = queries()

    def measure(self, size: int, rounds: int, seconds: float) -> Iterator[Measured]:
        """Each kind by 1, 8 and 32 clients among `size` documents, `seconds` long, so many times."""
        for number in range(rounds):
            for clients in CLIENTS:
                turn = number % len(KINDS)
                for kind in KINDS[turn:] + KINDS[:turn]:
                    yield self._measure(kind, size, clients, number, seconds)

    def _measure(self, kind: str, size: int, clients: int, number: int, seconds: float) -> Measured:
        database: list[float] = []
        dialect = API if kind == EMBEDDING else search(kind, size)
        load = closed_loop(
            self._port,
            dialect,
            self._queries,
            clients,
            seconds=seconds,
            warm=min(WARM, seconds),
            keep=None if kind == EMBEDDING else partial(_note, database),
        )
        ms = [each * 1000 for each in load.latencies]
        return Measured(kind, clients, number, load.texts_per_s, load.cpu, ms, database, dict(load.errors))


def _note(database: list[float], answer: Answer) -> None:
    if found := Timings.parse(answer.headers.get("server-timing", "")).get("database"):
        database.append(found * 1000)


def seconds_of(rounds: int, seconds: float) -> float:
    """How long `measure` takes."""
    return rounds * len(CLIENTS) * len(KINDS) * (seconds + min(WARM, seconds))
