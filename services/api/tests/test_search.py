"""A search finds as many as match, best first, by true equality of metadata, and never mixes spaces."""

import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from api.embedding import Embedding
from api.store.search import search as search_store
from api.store.spaces import partition
from stack import EmbeddedStack

DOCUMENTS = 1280
RARE = 3
BOOK = 6
BUILDS = 5  # of the index, at most
QUERY = Embedding(tokens=3, packed=struct.pack("<384f", 1, *[0] * 383))

VALUES: list[Any] = [
    1,
    1.5,
    True,
    False,
    None,
    "1",
    "true",
    "",
    0,
    [1],
    ["1"],
    {"a": 1},
    [],
    2**53,
    2**53 + 1,
]


@pytest.fixture(scope="module")
def library(stack: EmbeddedStack) -> Iterator[httpx2.Client]:
    """1,280 documents, half of them even, a third of them third, three of them rare."""
    with httpx2.Client(base_url=stack.url("api"), timeout=15, trust_env=False) as client:
        for first in range(0, DOCUMENTS, 256):
            documents = [
                {
                    "id": f"library-{number}",
                    "text": f"library text {number}",
                    "metadata": {
                        "library": True,
                        "even": number % 2 == 0,
                        "third": number % 3 == 0,
                        "rare": number < RARE,
                    },
                }
                for number in range(first, first + 256)
            ]
            assert client.post("/v1/documents", json={"documents": documents}).status_code == 200
        yield client


def search(client: httpx2.Client, query: str, **more: Any) -> list[dict[str, Any]]:
    """The results."""
    answer = client.post("/v1/search", json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def test_limit_100_returns_100(library: httpx2.Client) -> None:
    """Above pgvector's default of 40 candidates."""
    results = search(library, "library text 7", limit=100)
    assert len({each["id"] for each in results}) == 100


def test_limit_100_returns_100_with_a_filter(library: httpx2.Client) -> None:
    """Half of the candidates are filtered away, and 100 are found nevertheless."""
    results = search(library, "library text 7", limit=100, filter={"even": True, "library": True})
    assert len({each["id"] for each in results}) == 100
    assert {each["metadata"]["even"] for each in results} == {True}


def test_a_rare_match_is_always_found(library: httpx2.Client) -> None:
    """Three of 1,280 match: all three come, however far from the query they are."""
    results = search(library, "nothing alike", limit=10, filter={"library": True, "rare": True})
    assert {each["id"] for each in results} == {f"library-{number}" for number in range(RARE)}


def test_the_default_limit_is_10(library: httpx2.Client) -> None:
    """Ten results unless asked otherwise."""
    assert len(search(library, "library text 7")) == 10


def test_results_are_sorted_by_cosine_similarity(library: httpx2.Client) -> None:
    """The text itself comes first with a score of 1, and no score is above the one before it."""
    results = search(library, "library text 7", limit=100)
    scores = [each["score"] for each in results]
    assert results[0]["id"] == "library-7"
    assert scores[0] == pytest.approx(1, abs=1e-6)
    assert scores == sorted(scores, reverse=True)


def test_the_score_is_the_cosine(library: httpx2.Client) -> None:
    """The score is the dot product of the two unit vectors that `/v1/embeddings` answers."""
    best = search(library, "some query", limit=1)[0]
    body = {"input": ["some query", best["text"]], "model": "all-MiniLM-L6-v2"}
    one, other = (each["embedding"] for each in library.post("/v1/embeddings", json=body).json()["data"])
    assert best["score"] == pytest.approx(sum(a * b for a, b in zip(one, other, strict=True)), abs=1e-5)


def test_a_filter_is_equality(http: httpx2.Client) -> None:
    """A scalar matches itself alone: not its text form, a list that holds it, or a neighbour of 2**53."""
    documents = [{"text": f"value {value!r}", "metadata": {"equality": value}} for value in VALUES]
    assert http.post("/v1/documents", json={"documents": documents}).status_code == 200
    for value in VALUES:
        if isinstance(value, list | dict):
            continue
        found = search(http, "value", limit=100, filter={"equality": value})
        assert [(type(each["metadata"]["equality"]), each["metadata"]["equality"]) for each in found] == [
            (type(value), value)
        ]


def test_a_filter_needs_all_of_its_keys(http: httpx2.Client) -> None:
    """Keys are joined by "and"; an absent key is not null; numbers are equal as numbers."""
    documents = [
        {"id": "filter-both", "text": "both", "metadata": {"filter-x": 1, "filter-y": None}},
        {"id": "filter-one", "text": "one", "metadata": {"filter-x": 1}},
    ]
    assert http.post("/v1/documents", json={"documents": documents}).status_code == 200
    both = search(http, "both", filter={"filter-x": 1.0, "filter-y": None})
    assert [each["id"] for each in both] == ["filter-both"]
    assert len(search(http, "both", filter={"filter-x": 1})) == 2


@pytest.fixture
async def database(stack: EmbeddedStack, library: httpx2.Client) -> AsyncIterator[AsyncConnection]:
    """A connection to the full library, for what the api has no route for."""
    engine = create_async_engine(stack.url("postgres"))
    async with engine.connect() as connection:
        await connection.execute(text("ANALYZE documents, embeddings"))
        await connection.commit()
        yield connection
    await engine.dispose()


@asynccontextmanager
async def planner(stack: EmbeddedStack, **more: str) -> AsyncIterator[AsyncEngine]:
    """An engine for which sorting is out of favour: Postgres uses the vector index, as for a large table."""
    taste = {"enable_sort": "off", **more}
    engine = create_async_engine(stack.url("postgres"), connect_args={"server_settings": taste})
    yield engine
    await engine.dispose()


def exact_searches() -> float:
    """How many searches of this process needed an exact scan."""
    return REGISTRY.get_sample_value("api_exact_searches_total") or 0.0


async def current_space(database: AsyncConnection) -> str:
    """The space of the library's documents."""
    return str(await database.scalar(text("SELECT space FROM embeddings WHERE document_id = 'library-7'")))


@pytest.mark.anyio
async def test_the_index_alone_fills_the_limit(stack: EmbeddedStack, database: AsyncConnection) -> None:
    """On a large table 100 results come from the index, with and without a filter, without an exact scan.

    Each build of the index is another graph, by chance: in one that a test met, too few could be reached.
    """
    space = await current_space(database)
    async with planner(stack) as engine:
        for _ in range(BUILDS):
            before = exact_searches()
            for equals in ({}, {"third": True}):
                assert len(await search_store(engine, QUERY, space, limit=100, equals=equals)) == 100
            if exact_searches() == before:
                break
            async with engine.begin() as connection:
                await connection.execute(text(f"REINDEX INDEX {partition(space)}_hnsw"))
    assert exact_searches() == before


@pytest.mark.anyio
async def test_a_scan_that_gives_up_is_completed(
    stack: EmbeddedStack, database: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the index scan stops early, an exact scan finds the same 100 that a search without index finds."""
    before, space = exact_searches(), await current_space(database)
    monkeypatch.setattr("api.store.search.EF_SEARCH", 1)
    async with planner(stack, **{"hnsw.max_scan_tuples": "1"}) as engine:
        found = await search_store(engine, QUERY, space, limit=100, equals={"third": True})
    assert exact_searches() == before + 1
    monkeypatch.setattr("api.store.spaces.INDEXED", 0)
    async with planner(stack, enable_sort="on") as engine:
        assert found == await search_store(engine, QUERY, space, limit=100, equals={"third": True})


@pytest.mark.anyio
@pytest.mark.parametrize("few", [RARE, 1])
async def test_all_of_few_matches_are_found(
    stack: EmbeddedStack, database: AsyncConnection, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """Three documents match: all come, also when that is too many to be compared without the vector index."""
    before, space = exact_searches(), await current_space(database)
    monkeypatch.setattr("api.store.nearest.FEW", few)
    async with planner(stack) as engine:
        found = await search_store(engine, QUERY, space, limit=10, equals={"library": True, "rare": True})
    assert {match.id for match in found} == {f"library-{number}" for number in range(RARE)}
    assert exact_searches() == before + 1


@pytest.mark.anyio
async def test_more_than_the_candidates_come_from_the_index_too(
    stack: EmbeddedStack, database: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where too few candidates match, Postgres follows the index further: it doesn't sort all documents."""
    space, engine = await current_space(database), create_async_engine(stack.url("postgres"), pool_size=1)
    monkeypatch.setattr("api.store.search.NEAR", 1)

    async def scans() -> int:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_stat_force_next_flush()"))
        told = text("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = :index")
        found = await database.scalar(told, {"index": f"{partition(space)}_hnsw"})
        await database.rollback()
        return int(found or 0)

    before, exact = await scans(), exact_searches()
    assert len(await search_store(engine, QUERY, space, limit=100, equals={"third": True})) == 100
    assert await scans() > before
    assert exact_searches() == exact
    await engine.dispose()


async def looked_up(database: AsyncConnection) -> int:
    """How many rows of `documents` were read so far, by all whose sessions have told."""
    read = await database.scalar(
        text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'documents'")
    )
    await database.rollback()  # within a transaction the figures stay as they were
    return int(read or 0)


async def looks_up(
    stack: EmbeddedStack, database: AsyncConnection, equals: dict[str, Any], limit: int
) -> tuple[set[str], int]:
    """The ids that a search finds, and how many rows of `documents` it reads.

    Of three searches the one that read least counts: a session of another test may tell what it read only now.
    """
    space, read = await current_space(database), []
    for _ in range(3):
        engine = create_async_engine(stack.url("postgres"), pool_size=1, max_overflow=0)
        before = await looked_up(database)
        found = await search_store(engine, QUERY, space, limit=limit, equals=equals)
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_stat_force_next_flush()"))
        await engine.dispose()
        read.append(await looked_up(database) - before)
    return {match.id for match in found}, min(read)


@pytest.mark.anyio
@pytest.mark.parametrize("known", [True, False])
async def test_a_filter_that_many_match_is_applied_to_candidates_alone(
    stack: EmbeddedStack, database: AsyncConnection, known: bool
) -> None:
    """Half of 1,280 documents match, and no more than 160 are looked at, whatever Postgres knows of their metadata."""
    if not known:
        await database.execute(text("DELETE FROM pg_statistic WHERE starelid = 'documents'::regclass"))
        await database.commit()
    found, read = await looks_up(stack, database, {"even": True}, limit=10)
    assert len(found) == 10
    assert 0 < read <= 160


@pytest.mark.anyio
async def test_no_other_document_is_looked_at_when_few_match_and_are_nearest(
    stack: EmbeddedStack, database: AsyncConnection
) -> None:
    """The six documents of a book about the query's subject are found by reading 160 candidates and these six."""
    book, _ = await looks_up(stack, database, {}, limit=BOOK)
    await database.execute(
        text("UPDATE documents SET metadata = metadata || :more WHERE id = ANY(:book)").bindparams(
            bindparam("more", {"book": 1}, JSONB), bindparam("book", list(book))
        )
    )
    await database.commit()
    found, read = await looks_up(stack, database, {"book": 1}, limit=10)
    assert found == book
    assert 0 < read <= 160 + 4 * BOOK
