"""The curve: what each figure is at each size, from the rows of a run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from loadtest.percentiles import percentile
from loadtest.report.tables import NOTHING, Table
from loadtest.scale.corpus import FILTERS, NONE
from loadtest.scale.run import Row
from loadtest.scale.searching import CLIENTS, EMBEDDING


@dataclass(frozen=True)
class Point:
    """The rows of one size. Figures are medians over slices or rounds, ratios medians of those within a round."""

    size: int
    rows: Sequence[Row]

    def of(self, what: str) -> list[Row]:
        """The rows of a kind."""
        return [row for row in self.rows if row["what"] == what]

    def indexing(self) -> Mapping[str, float]:
        """Documents a second, texts a second of the worker alone, and the ratio."""
        slices = self.of("slice")
        return {
            "documents/s": median(row["documents_per_s"] for row in slices),
            "worker alone, texts/s": median(row["limit_per_s"] for row in slices),
            "documents / worker": median(row["ratio"] for row in slices),
        }

    def searches(self, kind: str, clients: int) -> list[Row]:
        """One row a round, in their order."""
        found = [row for row in self.of("searches") if row["kind"] == kind and row["clients"] == clients]
        return sorted(found, key=lambda row: int(row["round"]))

    def p50(self, kind: str, clients: int, figure: str = "ms") -> float:
        """Milliseconds; infinite when nothing was answered."""
        return median(_median(row[figure]) for row in self.searches(kind, clients))

    def p99(self, kind: str, clients: int) -> float:
        """Milliseconds, of the answers of all rounds."""
        values = [ms for row in self.searches(kind, clients) for ms in row["ms"]]
        return percentile(values, 99) if values else float("inf")

    def per_s(self, kind: str, clients: int) -> float:
        """Answers a second."""
        return float(median(row["per_s"] for row in self.searches(kind, clients)))

    def slower(self, kind: str, clients: int = 1) -> float:
        """The p50 of a filter by that without one."""
        pairs = zip(self.searches(kind, clients), self.searches(NONE, clients), strict=True)
        return median(_median(one["ms"]) / _median(other["ms"]) for one, other in pairs)

    def faster(self, kind: str, other: str, clients: int) -> float:
        """Answers a second of one kind by those of another."""
        pairs = zip(self.searches(kind, clients), self.searches(other, clients), strict=True)
        return median(one["per_s"] / two["per_s"] if two["per_s"] else 0.0 for one, two in pairs)

    def added(self, clients: int = 1) -> float:
        """Milliseconds that a search without filter takes longer than its query's embedding."""
        pairs = zip(self.searches(NONE, clients), self.searches(EMBEDDING, clients), strict=True)
        return median(_median(one["ms"]) - _median(two["ms"]) for one, two in pairs)

    def recall(self, name: str) -> float:
        """recall@10."""
        return float(self.of("recall")[-1]["recall"][name])

    def queries(self, name: str) -> int:
        """Over how many queries that is the mean."""
        return int(self.of("recall")[-1]["queries"][name])


def _median(values: Sequence[float]) -> float:
    return median(values) if values else float("inf")


def points(rows: Iterable[Row]) -> list[Point]:
    """One for each size that was measured to its end."""
    rows = list(rows)
    sizes = dict.fromkeys(row["documents"] for row in rows)
    found = [Point(size, [row for row in rows if row["documents"] == size]) for size in sizes]
    return [point for point in found if point.of("recall")]


def table(found: Sequence[Point]) -> Table:
    """Figures by size."""
    return [["documents", *(f"{point.size:,}" for point in found)], *_lines(found)]


def _lines(found: Sequence[Point]) -> Iterator[list[str]]:
    for name in found[0].indexing():
        yield [f"indexing: {name}", *(_short(point.indexing()[name]) for point in found)]
    for clients in CLIENTS:
        for kind in (EMBEDDING, *FILTERS):
            yield [
                f"{clients} clients, {kind}: p50 / p99 ms; a second",
                *(
                    f"{point.p50(kind, clients):.1f} / {point.p99(kind, clients):.0f}; {point.per_s(kind, clients):.0f}"
                    for point in found
                ),
            ]
    for kind in FILTERS:
        yield [f"1 client, {kind}: of it in Postgres, ms", *(f"{p.p50(kind, 1, 'database_ms'):.1f}" for p in found)]
    for name in found[0].of("recall")[-1]["recall"]:
        cells = (f"{point.recall(name):.4f}; {point.queries(name)}" for point in found)
        yield [f"recall@10, {name}; queries", *cells]
    titles = {
        "hnsw_mb": "HNSW index, MB",
        "indexes_mb": "other indexes, MB",
        "tables_mb": "tables, MB",
        "postgres_mb": "Postgres, resident MB with shared memory",
        "postgres_own_mb": "Postgres, resident MB without it",
    }
    for key, title in titles.items():
        yield [title, *(_short(point.of("size")[-1].get(key)) for point in found)]


def _short(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}" if value >= 10 else f"{value:.2f}"
