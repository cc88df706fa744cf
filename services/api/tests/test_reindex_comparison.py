"""The comparison of two models: its figures, and what it shows."""

from pathlib import Path

import pytest

from api.reindex.comparison import Compared, first_sentence
from contract.prompts import Prompts
from services.api.tests.helpers.replacing import OLD, World

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("  One. Two.", "One."),
        ("Is it? Yes", "Is it?"),
        ("a line\nanother", "a line"),
        ("3.5 litres", "3.5 litres"),
        ("x" * 300, "x" * 200),
        ("\n \n", ""),
    ],
)
def test_a_documents_query_is_its_first_sentence(text: str, query: str) -> None:
    """At most 200 characters of it."""
    assert first_sentence(text) == query


def test_the_overlap_is_of_documents_not_of_places() -> None:
    """Two models may order the same documents otherwise."""
    assert Compared("q", ["a", "b", "c"], ["c", "a", "d"]).overlap == 2


def angle(text: str, first: int) -> tuple[float, float, float, float]:
    """A vector that is the nearer to a query's, (1, 0, 0, 0), the nearer the document's number is behind `first`."""
    number = text.split(".", maxsplit=1)[0]
    return (1, (int(number) - first) % 20 / 10 if number.isdigit() else 0, 0, 0)


@pytest.fixture
async def many(world: World) -> World:
    """Twenty documents: the old model's best ten are 1 to 10, the new one's 6 to 15."""
    world.old.vector = lambda text: angle(text, 1)
    world.new.vector = lambda text: angle(text, 6)
    world.old.prompts = world.new.prompts = Prompts(texts={"query": "find: ", "document": "read: "})
    for number in range(1, 21):
        await world.store(f"d{number:02}", f"{number}. A secret.", OLD)
    return world


async def test_the_figures_are_those_of_the_ten_best_in_both_spaces(many: World, tmp_path: Path) -> None:
    """Of hand-made vectors: five of ten are found by both. A file's queries are shown."""
    queries = tmp_path / "queries"
    queries.write_text("query one\n\nquery two\n")
    said = await many.step("prepare", "--queries", str(queries))
    assert said.split("\n")[2:] == [
        "Compared the best 10 of 2 queries (of the file) in both spaces:",
        "  overlap: 5.0 of 10 on average",
        "       10: 0 queries",
        "   8 to 9: 0 queries",
        "   5 to 7: 2 queries",
        "   0 to 4: 0 queries",
        "  the lowest overlap:",
        "  5, query one",
        "      model-a: d01 d02 d03 d04 d05 d06 d07 d08 d09 d10",
        "      model-b: d06 d07 d08 d09 d10 d11 d12 d13 d14 d15",
        "  5, query two",
        "      model-a: d01 d02 d03 d04 d05 d06 d07 d08 d09 d10",
        "      model-b: d06 d07 d08 d09 d10 d11 d12 d13 d14 d15",
        "Next: cut-over, or abandon",
        "",
    ]


async def test_documents_texts_are_queries_but_are_not_shown(many: World) -> None:
    """Their ids are. Each worker embeds the queries with its prompt for queries."""
    said = await many.step("prepare", "--samples", "4")
    assert "of 4 queries (the first sentences of documents, 200 characters at most)" in said
    assert said.count("the document d") == 3
    assert "secret" not in said
    assert {*many.old.asked_prompts} == {"query"}
    assert {*many.new.asked_prompts} == {"document", "query"}


async def test_nothing_is_compared_where_nothing_can_differ(world: World) -> None:
    """Ten documents are all among the ten best."""
    await world.many(10)
    assert "Nothing is compared: a search for 10 finds all documents" in await world.step("prepare")


async def test_without_the_old_workers_nothing_is_compared(world: World) -> None:
    """All documents are embedded all the same."""
    await world.many(20)
    await world.step("prepare")
    world.old.starting = True
    said = await world.step("prepare")
    assert "20 of 20 documents have a vector" in said
    assert "Nothing is compared: the model model-a is unavailable" in said
