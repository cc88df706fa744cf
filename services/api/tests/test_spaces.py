"""Spaces in the store: each has its own dimensions and index; a search sees one alone, and all of it."""

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from api.embedding import Embedding
from api.postgres import COMMAND_TIMEOUT
from api.store import spaces
from api.store.documents import NewDocument, get, remove, upsert
from api.store.search import search
from services.api.tests.helpers.databases import own_database
from stack import EmbeddedStack
from warmstart.errors import DependencyUnavailable

pytestmark = pytest.mark.anyio

MANY = 300
SETTINGS = {"enable_sort": "off", "lock_timeout": "30s"}  # whoever must not wait, and does, fails
SCANS = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = '{}_hnsw'"
DEADLOCK_TIMEOUT = "SELECT extract(epoch FROM current_setting('deadlock_timeout')::interval)::float"
HALF_MADE = """
SELECT count(*) FROM pg_class JOIN pg_index ON indrelid = pg_class.oid
WHERE relname LIKE 'embeddings\\_%' AND (NOT relispartition OR NOT indisvalid)
"""


@pytest.fixture(scope="module")
def address(stack: EmbeddedStack) -> Iterator[str]:
    """A database of these tests' own."""
    with own_database(stack.url("postgres")) as own:
        yield own


@pytest.fixture
async def engine(address: str) -> AsyncIterator[AsyncEngine]:
    """An engine for which sorting is out of favour: Postgres uses a vector index where there is one."""
    made = create_async_engine(address, connect_args={"server_settings": SETTINGS})
    yield made
    await made.dispose()


def vector(angle: float, dimensions: int) -> Embedding:
    """Vectors whose similarity falls as their numbers differ, up to 1,000."""
    return Embedding(1, struct.pack(f"<{dimensions}f", 1, angle / 1000, *[0] * (dimensions - 2)))


def new(name: str, numbers: range) -> list[NewDocument]:
    """Documents of these numbers; every hundredth is rare."""
    return [NewDocument(f"{name}-{number}", "text", {"rare": number % 100 == 0}) for number in numbers]


def vectors(numbers: range, dimensions: int) -> list[Embedding]:
    """Their vectors."""
    return [vector(number, dimensions) for number in numbers]


async def ids(engine: AsyncEngine, space: str, dimensions: int, **more: bool) -> list[str]:
    """The hundred nearest to number 0."""
    return [each.id for each in await search(engine, vector(0, dimensions), space, limit=100, equals=more)]


async def scalar(engine: AsyncEngine, statement: str) -> Any:
    """The first value of the answer."""
    async with engine.connect() as connection:
        return await connection.scalar(text(statement))


async def index_scans(engine: AsyncEngine, space: str) -> int | None:
    """How many searches went through the space's index; None when it has none."""
    await scalar(engine, "SELECT pg_stat_force_next_flush()")
    found: int | None = await scalar(engine, SCANS.format(spaces.partition(space)))
    return found


@pytest.mark.parametrize("dimensions", [8, 768, 2000])
async def test_spaces_of_any_size_are_searched_by_themselves(engine: AsyncEngine, dimensions: int) -> None:
    """Beside a larger space with nearer vectors, a search finds all of its own in order, with a filter too."""
    ours, theirs, numbers = f"ours-{dimensions}", f"theirs-{dimensions}", range(0, 1000, 10)
    await upsert(engine, new(theirs, range(MANY)), {theirs: [vector(0, dimensions)] * MANY}, "model")
    await upsert(engine, new(ours, numbers), {ours: vectors(numbers, dimensions)}, "model")
    assert await ids(engine, ours, dimensions) == [f"{ours}-{number}" for number in numbers]
    assert await ids(engine, ours, dimensions, rare=True) == [f"{ours}-{number}" for number in range(0, 1000, 100)]
    assert await index_scans(engine, ours)


@pytest.mark.parametrize("dimensions", [2001, 4001])
async def test_beyond_2000_dimensions_a_search_is_exact(engine: AsyncEngine, dimensions: int) -> None:
    """Without an index, vectors that half precision couldn't tell apart are found in their order."""
    name, near = f"long-{dimensions}", [vector(500 + number / 200, dimensions) for number in range(100)]
    await upsert(engine, new(name, range(100)), {name: near}, "model")
    found = await search(engine, vector(0, dimensions), name, limit=10, equals={})
    assert [each.id for each in found] == [f"{name}-{number}" for number in range(10)]
    assert await index_scans(engine, name) is None


async def test_a_document_has_vectors_in_two_spaces_at_once(engine: AsyncEngine) -> None:
    """Both find it. A new text that is embedded for one is no longer found by its old vector in the other."""
    numbers = range(3)
    await spaces.make(engine, "new", 6)
    await upsert(engine, new("both", numbers), {"old": vectors(numbers, 4), "new": vectors(numbers, 6)}, "model")
    assert await ids(engine, "old", 4) == await ids(engine, "new", 6) == ["both-0", "both-1", "both-2"]
    await upsert(engine, new("both", range(1)), {"new": [vector(5, 6)]}, "model")
    assert await ids(engine, "old", 4) == ["both-1", "both-2"]
    assert await ids(engine, "new", 6) == ["both-1", "both-2", "both-0"]
    assert await remove(engine, "both-1")
    assert await ids(engine, "old", 4) == ["both-2"]
    assert await ids(engine, "new", 6) == ["both-2", "both-0"]


async def test_an_unknown_space_is_empty(engine: AsyncEngine) -> None:
    """Nothing was stored in it, which is no error."""
    assert await ids(engine, "never written", 5) == []


async def test_a_name_may_hold_anything(engine: AsyncEngine) -> None:
    """A space's name is data, though it stands in statements."""
    odd = "it's :odd %s \\ $1"
    await upsert(engine, new("odd", range(2)), {odd: vectors(range(2), 4)}, "model")
    assert await ids(engine, odd, 4) == ["odd-0", "odd-1"]


async def test_many_make_one_space_at_once(address: str, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve first documents of a space, by two engines, are all stored; nothing is half made."""
    monkeypatch.setattr(spaces, "LOCK_TIMEOUT", "60s")  # however slow the machine is
    other = create_async_engine(address)
    calls = (
        upsert((engine, other)[number % 2], new("race", range(number, number + 1)), {"race": [vector(number, 4)]}, "m")
        for number in range(12)
    )
    await asyncio.gather(*calls)
    await other.dispose()
    assert len(await ids(engine, "race", 4)) == 12
    assert await scalar(engine, HALF_MADE) == 0


async def test_a_maker_s_limit_lies_between_two_others(engine: AsyncEngine) -> None:
    """An autovacuum gives way after deadlock_timeout; writers behind the maker give up after COMMAND_TIMEOUT."""
    assert await scalar(engine, DEADLOCK_TIMEOUT) < float(spaces.LOCK_TIMEOUT.removesuffix("s")) < COMMAND_TIMEOUT


async def test_a_space_that_gets_no_lock_is_made_by_the_next(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a long write its making gives up, typed, and leaves nothing of it."""
    monkeypatch.setattr(spaces, "LOCK_TIMEOUT", "100ms")
    async with engine.connect() as blocking:
        await blocking.execute(text("LOCK TABLE documents IN ROW EXCLUSIVE MODE"))
        with pytest.raises(DependencyUnavailable, match="lock timeout"):
            await spaces.make(engine, "cut", 4)
        await blocking.rollback()
    monkeypatch.undo()
    assert await scalar(engine, f"SELECT to_regclass('{spaces.partition('cut')}')") is None
    await upsert(engine, new("cut", range(2)), {"cut": vectors(range(2), 4)}, "model")
    assert await ids(engine, "cut", 4) == ["cut-0", "cut-1"]


async def test_searches_and_reads_go_on_while_a_space_is_made(engine: AsyncEngine) -> None:
    """They don't wait for a maker that holds all its locks; if it dies then, nothing of the space is left."""
    await upsert(engine, new("calm", range(2)), {"calm": vectors(range(2), 4)}, "model")
    async with engine.connect() as maker:
        await spaces.create(maker, "slow", 4)
        maker_pid = await maker.scalar(text("SELECT pg_backend_pid()"))
        assert await ids(engine, "calm", 4) == ["calm-0", "calm-1"]
        assert await get(engine, "calm-0")
        assert await scalar(engine, f"SELECT pg_terminate_backend({maker_pid}, 10000)")
        await maker.invalidate()
    assert await scalar(engine, f"SELECT to_regclass('{spaces.partition('slow')}')") is None
    await upsert(engine, new("slow", range(1)), {"slow": vectors(range(1), 4)}, "model")
    assert await ids(engine, "slow", 4) == ["slow-0"]


async def test_a_space_that_can_not_take_a_vector_is_named(engine: AsyncEngine) -> None:
    """Vectors of another size, or a table that somebody detached, are a typed 503."""
    await upsert(engine, new("four", range(1)), {"four": vectors(range(1), 4)}, "model")
    with pytest.raises(DependencyUnavailable, match="space four takes no vectors of 6 dimensions"):
        await upsert(engine, new("four", range(1)), {"four": vectors(range(1), 6)}, "model")
    async with engine.begin() as connection:
        await connection.execute(text(f"ALTER TABLE embeddings DETACH PARTITION {spaces.partition('four')}"))
    with pytest.raises(DependencyUnavailable, match="of space four, is detached"):
        await upsert(engine, new("four", range(1)), {"four": vectors(range(1), 4)}, "model")
    async with engine.begin() as connection:
        await connection.execute(text(f"DROP TABLE {spaces.partition('four')}"))
