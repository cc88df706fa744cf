"""What the project wants of the curve, and what a run reached."""

from collections.abc import Iterator, Sequence

from loadtest.bench.verdict import Bound
from loadtest.scale.corpus import FILTERS, HALF, NONE
from loadtest.scale.curve import Point
from loadtest.scale.searching import EMBEDDING


def goals(found: Sequence[Point]) -> list[Bound]:
    """Those of each size, and of the growth from the first size to the last."""
    bounds = [bound for point in found for bound in _of(point)]
    if len(found) > 1:
        first, last = found[0], found[-1]
        grown = last.p50(NONE, 1) / first.p50(NONE, 1)
        bounds.append(Bound(f"search, p50 of {last.size:,} / of {first.size:,}", grown, "≤", 2.0))
    return bounds


def _of(point: Point) -> Iterator[Bound]:
    def bound(name: str, value: float, sense: str, limit: float) -> Bound:
        return Bound(f"{point.size:,}: {name}", value, "≥" if sense == ">" else "≤", limit)

    yield bound("documents stored / worker alone", point.indexing()["documents / worker"], ">", 0.85)
    yield bound("search - embedding alone, ms", point.added(), "<", 5.0)
    for kind in FILTERS:
        if kind != NONE:
            yield bound(f"{kind} / no filter, p50", point.slower(kind), "<", 1.3)
    yield bound("32 clients: searches/s / embeddings/s", point.faster(NONE, EMBEDDING, 32), ">", 0.8)
    yield bound("32 clients: half match/s / no filter/s", point.faster(HALF, NONE, 32), ">", 0.7)
    for name in point.of("recall")[-1]["recall"]:
        yield bound(f"recall@10, {name}", point.recall(name), ">", 0.99)
