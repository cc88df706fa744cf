"""The store while a model is replaced: which space searches use, what writers must bring, and how it ends."""

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from api.embedding import Embedding
from api.store import replacement, spaces
from api.store.documents import NewDocument, Vectors, upsert
from api.store.replacement import OtherSpaceError, ReplacementError
from api.store.search import search
from contract.model import ModelInfo
from warmstart.errors import DependencyUnavailable

pytestmark = pytest.mark.anyio

OLD, NEW = "a", "b"


def model(space: str, dimensions: int) -> ModelInfo:
    """A model whose space has its name."""
    return ModelInfo(
        model=f"model-{space}",
        fingerprint=space,
        space=space,
        dimensions=dimensions,
        max_tokens=8,
        special_tokens=2,
        vocabulary_size=9,
        max_text_characters=99,
        engine="fake",
        precision="fp32",
        threads=1,
    )


@pytest.fixture
async def engine(address: str) -> AsyncIterator[AsyncEngine]:
    """Its engine."""
    made = create_async_engine(address)
    yield made
    await made.dispose()


def vector(dimensions: int) -> Embedding:
    """Every document's."""
    return Embedding(1, struct.pack(f"<{dimensions}f", 1, *[0] * (dimensions - 1)))


def in_spaces(*names: str) -> Vectors:
    """One document's vectors; the old space has 3 dimensions, the new one 5."""
    return {name: [vector(3 if name == OLD else 5)] for name in names}


async def store(engine: AsyncEngine, name: str, *of: str) -> None:
    """Store a document with vectors in these spaces."""
    await upsert(engine, [NewDocument(name, "text", {})], in_spaces(*of), of[0])


async def found(engine: AsyncEngine, space: str) -> set[str]:
    """What a search finds in a space."""
    return {each.id for each in await search(engine, in_spaces(space)[space][0], space, limit=100, equals={})}


async def begin(engine: AsyncEngine) -> replacement.Replacement:
    """Begin to replace the one model by the other."""
    return await replacement.begin(engine, model(OLD, 3), model(NEW, 5))


async def test_searches_and_writers_follow_the_space_that_is_served(engine: AsyncEngine) -> None:
    """The change waits for each document's vector; vectors of the other space alone are refused."""
    await store(engine, "before", OLD)
    assert await replacement.read(engine) is None
    begun = await begin(engine)
    assert (begun.served, begun.other, await begin(engine)) == (OLD, NEW, begun)
    await store(engine, "meanwhile", OLD, NEW)
    assert await found(engine, OLD) == {"before", "meanwhile"}
    for refused in (found(engine, NEW), store(engine, "lost", NEW)):
        with pytest.raises(OtherSpaceError, match="searches use the space a"):
            await refused
    assert await replacement.count(engine, NEW) == (1, 2)
    assert await replacement.serve(engine, NEW) == 1
    assert await found(engine, OLD) == {"before", "meanwhile"}
    await store(engine, "before", OLD, NEW)
    assert await replacement.serve(engine, NEW) == 0
    assert await found(engine, NEW) == {"before", "meanwhile"}
    for refused in (found(engine, OLD), store(engine, "lost", OLD)):
        with pytest.raises(OtherSpaceError, match="searches use the space b"):
            await refused


@pytest.mark.parametrize("committed", [True, False])
async def test_writers_that_are_under_way_are_not_overlooked(engine: AsyncEngine, committed: bool) -> None:
    """The change waits for them; after it, one that has waited, and knows the old space only, is refused."""
    await begin(engine)
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'documents'::regclass")
    async with engine.connect() as writer, engine.connect() as watching, asyncio.timeout(20):
        await writer.execute(text("SET LOCAL warmstart.spaces = '1'"))
        await writer.execute(text("INSERT INTO documents SELECT 'open', 't', '{}', 'm', array_fill(0, '{384}'), now()"))
        change = asyncio.create_task(replacement.serve(engine, NEW))
        while not await watching.scalar(waiting):
            await asyncio.sleep(0.02)
        later = asyncio.create_task(store(engine, "later", OLD))
        while await watching.scalar(waiting) != 2:
            await asyncio.sleep(0.02)
        await (writer.commit() if committed else writer.rollback())
    assert await change == committed
    if committed:
        await later
        assert await found(engine, OLD) == {"later"}
    else:
        with pytest.raises(OtherSpaceError):
            await later


async def test_it_goes_back_as_it_went_forward_and_ends_with_the_other_space_gone(engine: AsyncEngine) -> None:
    """A document that was stored in the new space alone keeps searches there, unless so many may be lacking."""
    await begin(engine)
    await store(engine, "both", OLD, NEW)
    assert await replacement.serve(engine, NEW) == 0
    await store(engine, "new alone", NEW)
    assert await replacement.serve(engine, OLD) == 1
    assert await found(engine, NEW) == {"both", "new alone"}
    assert await replacement.serve(engine, OLD, lacking=1) == 1
    assert await found(engine, OLD) == {"both"}
    assert await replacement.serve(engine, NEW) == 0
    await replacement.end(engine, NEW)
    assert await replacement.read(engine) is None
    assert await found(engine, NEW) == {"both", "new alone"}
    async with engine.connect() as connection:
        assert await connection.scalar(spaces.ATTACHED, {"table": spaces.partition(OLD)}) is None


async def test_a_late_writer_of_a_dropped_space_does_not_bring_it_back(engine: AsyncEngine) -> None:
    """It writes for both models after the end, and its document is in the space that is left; or it learns of that."""
    await begin(engine)
    await replacement.serve(engine, NEW)
    await replacement.end(engine, NEW)
    await store(engine, "late", NEW, OLD)
    assert await found(engine, NEW) == {"late"}
    for late in (found(engine, OLD), store(engine, "late", OLD)):
        with pytest.raises(OtherSpaceError, match="searches use the space b"):
            await late
    async with engine.connect() as connection:
        assert await connection.scalar(spaces.ATTACHED, {"table": spaces.partition(OLD)}) is None


async def test_steps_that_fit_nothing_are_refused(engine: AsyncEngine) -> None:
    """One replacement at a time, between two spaces; without one, nothing is served by name and nothing ends."""
    with pytest.raises(ReplacementError, match="no replacement with the space b is under way"):
        await replacement.serve(engine, NEW)
    with pytest.raises(ReplacementError, match="searches don't use the space b of a replacement"):
        await replacement.end(engine, NEW)
    with pytest.raises(ReplacementError, match="model-a and model-a have one space"):
        await replacement.begin(engine, model(OLD, 3), model(OLD, 3))
    await begin(engine)
    with pytest.raises(ReplacementError, match="another replacement is under way: model-b replaces model-a"):
        await replacement.begin(engine, model(OLD, 3), model("c", 3))
    with pytest.raises(ReplacementError, match="no replacement with the space c is under way"):
        await replacement.serve(engine, "c")
    with pytest.raises(ReplacementError, match="searches don't use the space b of a replacement"):
        await replacement.end(engine, NEW)


async def test_no_document_loses_the_vector_that_it_is_found_by(engine: AsyncEngine) -> None:
    """The end is refused for one that was stored meanwhile, in the other space alone; not for one of another model."""
    await store(engine, "third", "c")
    await begin(engine)
    await store(engine, "both", OLD, NEW)
    await replacement.serve(engine, NEW, lacking=1)
    await store(engine, "new alone", NEW)
    await replacement.serve(engine, OLD, lacking=2)
    with pytest.raises(ReplacementError, match="1 documents would have no vector any more"):
        await replacement.end(engine, OLD)
    await store(engine, "new alone", OLD)
    await replacement.end(engine, OLD)
    assert await found(engine, OLD) == {"both", "new alone"}


async def test_documents_that_another_server_counted_prove_nothing(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the primary has moved since, the new one may lack vectors: nothing is dropped."""
    await replacement.begin(engine, model(OLD, 3), model(NEW, 5))
    monkeypatch.setattr(replacement, "SERVER", text("SELECT clock_timestamp()"))  # another one each time
    with pytest.raises(ReplacementError, match="has moved meanwhile; nothing was dropped"):
        await replacement.end(engine, OLD)
    monkeypatch.undo()
    await replacement.end(engine, OLD)


async def test_the_next_replacement_begins_after_the_last_one(engine: AsyncEngine) -> None:
    """Back to a model whose space was dropped, too: searches use it again once it has all documents."""
    await begin(engine)
    await store(engine, "a", OLD, NEW)
    await replacement.serve(engine, NEW)
    await replacement.end(engine, NEW)
    back = await replacement.begin(engine, model(NEW, 5), model(OLD, 3))
    assert (back.served, back.progress) == (NEW, None)
    await store(engine, "a", NEW, OLD)
    assert await replacement.serve(engine, OLD) == 0
    assert await found(engine, OLD) == {"a"}


async def test_the_end_does_not_wait_for_somebody_s_open_transaction(engine: AsyncEngine) -> None:
    """Searches would wait behind it. It gives up soon, drops nothing, and can be tried again."""
    await begin(engine)
    await store(engine, "a", OLD, NEW)
    async with engine.connect() as dump:
        await dump.execute(text("SELECT count(*) FROM replacement, documents, embeddings"))
        with pytest.raises(DependencyUnavailable, match="lock timeout"):
            await replacement.end(engine, OLD)
        assert await found(engine, OLD) == {"a"}
    await replacement.end(engine, OLD)
    assert await found(engine, OLD) == {"a"}


async def test_progress_is_what_the_job_noted(engine: AsyncEngine) -> None:
    """Without a replacement, nothing is noted."""
    await replacement.note(engine, 1, 2)
    assert (await begin(engine)).total == 0
    await replacement.note(engine, 1, 2)
    noted = await replacement.read(engine)
    assert noted
    assert (noted.done, noted.total) == (1, 2)
