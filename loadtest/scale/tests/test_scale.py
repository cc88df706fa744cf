"""`make scale`: what it stores and asks for, and what it makes of the rows."""

import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from itertools import count
from pathlib import Path
from statistics import mean, pstdev

import pytest

from loadtest.scale import corpus
from loadtest.scale.__main__ import main
from loadtest.scale.corpus import BOOK, FILTERS, HALF, NONE, SHELF, STRONG, TENTH, document, equals, queries, search
from loadtest.scale.curve import Point, points, table
from loadtest.scale.filling import TEXTS, fill
from loadtest.scale.goals import goals
from loadtest.scale.plan import Plan
from loadtest.scale.run import Row
from loadtest.scale.searching import CLIENTS, KINDS
from stack.tests.server import reply, serving


@pytest.mark.parametrize("size", [1, 77, 78, 5000, 10_077, 10_078, 15_000])
@pytest.mark.parametrize("name", FILTERS)
def test_the_number_of_results_is_known(name: str, size: int) -> None:
    """As many documents are found as match a filter by their metadata, up to the limit."""
    [query] = next(queries(77))
    wanted = equals(name, query).items()
    found = sum(wanted <= document(number)["metadata"].items() for number in range(size))
    assert corpus.expected(name, size, query) == min(corpus.LIMIT, found)


@pytest.mark.parametrize(("name", "share"), [(HALF, 1 / 2), (TENTH, 1 / 10)])
def test_most_filters_have_nothing_to_do_with_texts(name: str, share: float) -> None:
    """Of 40 documents with the same half of a sentence as many match as of any 40."""
    wanted, firsts, seconds = equals(name, "").items(), defaultdict(list), defaultdict(list)
    for number in range(40 * corpus.SUBJECTS):
        matches = wanted <= document(number)["metadata"].items()
        firsts[number % corpus.SUBJECTS].append(matches)
        seconds[(number % corpus.SUBJECTS + 1 + number // corpus.SUBJECTS) % corpus.SUBJECTS].append(matches)
    for shares in (list(map(mean, halves.values())) for halves in (firsts, seconds)):
        assert mean(shares) == pytest.approx(share, rel=0.02)
        assert pstdev(shares) == pytest.approx((share * (1 - share) / 40) ** 0.5, rel=0.1)


def test_a_shelf_is_of_some_subjects() -> None:
    """All documents on a subject are on the shelf, or none of them; a tenth of the subjects is."""
    wanted, found = equals(SHELF, "").items(), defaultdict(set)
    for number in range(3 * corpus.SUBJECTS):
        found[number % corpus.SUBJECTS].add(wanted <= document(number)["metadata"].items())
    assert sorted(map(list, found.values())) == [[False]] * (corpus.SUBJECTS * 9 // 10) + [[True]] * (
        corpus.SUBJECTS // 10
    )


def test_a_book_is_on_the_subject_of_its_query() -> None:
    """Of 20,000 documents five are of the first book on it, and begin as the query does."""
    [query] = next(queries(2477))
    found = [document(number) for number in range(20_000)]
    book = [each["text"] for each in found if equals(BOOK, query).items() <= each["metadata"].items()]
    assert len(book) == 5
    assert len({tuple(each.split()[:4]) for each in (query, *book)}) == 1


def test_no_document_is_a_query() -> None:
    """A query that is a document's text would be found too easily."""
    texts = {document(number)["text"] for number in range(3000)}
    asked = {next(queries(number))[0] for number in range(3000)}
    assert len(asked) == 3000
    assert not asked & texts


def answer(*numbers: int) -> bytes:
    """An answer with these documents."""
    results = [{**document(number), "score": 0.9 - place / 100} for place, number in enumerate(numbers)]
    return json.dumps({"results": results}).encode()


@pytest.mark.parametrize(
    ("name", "found", "said"),
    [
        (STRONG, (2750, 6915), None),
        (STRONG, (2750,), "1 results instead of 2"),
        (STRONG, (2750, 78), "a result doesn't match the filter"),
        (NONE, (1, 2), "2 results instead of 10"),
        (NONE, tuple(range(10)), None),
    ],
)
def test_a_wrong_answer_is_noticed(name: str, found: tuple[int, ...], said: str | None) -> None:
    """A search among 10,000 documents has all its results, and none that the filter leaves out."""
    assert search(name, 10_000).wrong(answer(*found), ["query"]) == said


def test_what_is_refused_is_stored_later() -> None:
    """Each third call is refused: as many are answered in the end as the documents need, and refusals are counted."""
    calls = count(1)
    stored: list[int] = []

    def handle(handler: BaseHTTPRequestHandler) -> None:
        if handler.path != "/v1/documents" or (number := next(calls)) % 3 == 0:
            return reply(handler, 503, b"{}")
        stored.append(number)
        return reply(handler, 200, b"{}")

    with serving(handle) as url:
        port = int(url.rpartition(":")[2])
        slices = list(fill(port, port, 10, 10 + 9 * TEXTS, seconds=0.1, until=time.monotonic() + 30))
    assert len(stored) == 9
    assert slices[-1].last == 10 + 9 * TEXTS
    assert sum(each.errors["503"] for each in slices) > 0


def rows(size: int, ms: float) -> Iterator[Row]:
    """Those of one size: two rounds, in the second of which the machine was twice as slow."""
    for speed in (1, 2):
        yield {"what": "slice", "documents_per_s": 300 / speed, "limit_per_s": 400 / speed, "ratio": 0.75}
    for number in (0, 1):
        for clients in CLIENTS:
            for kind in KINDS:
                took = ms * (number + 1) * (1 if kind in KINDS[:2] else 2)
                figures = {"ms": [took] * 10, "database_ms": [1.0], "per_s": 1000 / took}
                yield {"what": "searches", "kind": kind, "clients": clients, "round": number, **figures}
    yield {"what": "recall", "recall": {NONE: 0.995}, "queries": {NONE: 200}}
    yield {"what": "size", "hnsw_mb": size / 1000}


def test_ratios_are_of_one_round() -> None:
    """What slows the machine down for a round changes no ratio: filters take twice as long here, in both rounds."""
    point = Point(1000, list(rows(1000, 10)))
    assert point.indexing()["documents / worker"] == 0.75
    assert {point.slower(name, clients) for name in FILTERS if name != NONE for clients in CLIENTS} == {2.0}
    assert point.p50(NONE, 1) == 15


def test_a_size_that_was_not_measured_to_its_end_is_left_out() -> None:
    """The table has the others, and growth is judged from the first to the last."""
    whole = [{"documents": size, **row} for size, ms in ((10, 10.0), (100, 25.0)) for row in rows(size, ms)]
    found = points([*whole, {"documents": 1000, "what": "slice"}])
    assert table(found)[0] == ["documents", "10", "100"]
    grown = goals(found)[-1]
    assert (grown.value, grown.kept) == (2.5, False)


def test_larger_runs_are_expected_to_take_longer() -> None:
    """A million documents are told to take more than an hour."""
    assert Plan((10_000,)).expected() < Plan((10_000, 100_000)).expected() < 3600
    assert Plan((10_000, 100_000, 1_000_000)).expected() > 3600


def test_a_small_run_measures_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the fake engine: each kind of row, a table, a picture and a page; and no answer is wrong."""
    monkeypatch.setenv("ENGINE", "fake")
    arguments = ("--sizes", "96", "--rounds", "1", "--seconds", "0.1", "--queries", "2", "--reports", str(tmp_path))
    main(arguments)
    found = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert {row["documents"] for row in found} == {96}
    assert {row["what"] for row in found} == {"slice", "size", "searches", "recall"}
    wrong = {error for row in found for error in row.get("errors", ()) if "stood still" not in error}
    assert wrong == set()
    assert all(row["hnsw_mb"] > 0 and row["postgres_mb"] > 0 for row in found if row["what"] == "size")
    assert re.search(r"recall@10, 1 in 10; queries +\d.\d{4}; 2\n", (tmp_path / "table.txt").read_text())
    assert "half match" in (tmp_path / "index.html").read_text()
    assert (tmp_path / "scale.png").stat().st_size > 0
