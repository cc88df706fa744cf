"""Revision 0002 moves vectors into their spaces without embedding anything again, and back; old apis go on."""

import asyncio
import math
import struct
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from api.embedding import Embedding
from api.migrate import migrate
from api.revision import HEAD_REVISION
from api.settings import ApiSettings
from api.store.documents import NewDocument, upsert
from api.store.search import search
from contract.space import DEFAULT, KNOWN
from services.api.tests.helpers import old_api
from services.api.tests.helpers.databases import own_database, sql
from stack import EmbeddedStack

T = TypeVar("T")
FINGERPRINTS = [*KNOWN, "int8"]
ODD = "it's;{odd}:name\\ $1 %s"
NOTE = """
CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO seen SELECT string_agg(current_setting(name), ' ') FROM unnest(ARRAY[
    'maintenance_work_mem', 'max_parallel_maintenance_workers', 'statement_timeout']) AS name;
END $$
"""
HELD = """
SELECT count(*) FROM pg_locks WHERE granted AND mode = 'ShareRowExclusiveLock' AND relation = 'documents'::regclass
"""
FOR_DATABASE = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {}', current_database()); END $$"


@pytest.fixture
def address(stack: EmbeddedStack) -> Iterator[str]:
    """A database at revision 0001, with a document of each fingerprint of the default model, and one of int8."""
    with own_database(stack.url("postgres")) as own:
        go(own, "0001")
        for number, model in enumerate(FINGERPRINTS):
            store_old(own, number, model)
        yield own


def go(address: str, revision: str) -> None:
    """Run the migrate step to this revision."""
    asyncio.run(migrate(ApiSettings(database_url=address), revision))


def on(address: str, work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    """Do some work with an engine of its own."""

    async def run() -> T:
        engine = create_async_engine(address)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def vector(number: int, dimensions: int = 384) -> Embedding:
    """That of the document with the number."""
    return Embedding(1, struct.pack(f"<{dimensions}f", 1, number, *[0] * (dimensions - 2)))


def store_old(address: str, number: int, model: str) -> None:
    """As an api from before the revision stores the document with this number."""
    row = {"id": f"old-{number}", "text": "text", "metadata": {}, "model": model, "embedding": vector(number).floats()}
    on(address, lambda engine: old_api.upsert(engine, [row]))


def store(address: str, name: str, embedding: Embedding, space: str = DEFAULT, model: str = next(iter(KNOWN))) -> None:
    """As an api of today stores it."""
    on(address, lambda engine: upsert(engine, [NewDocument(name, "text", {})], {space: [embedding]}, model))


def found(address: str, space: str) -> Sequence[str]:
    """What a search near document 0 finds."""
    matches = on(address, lambda engine: search(engine, vector(0), space, limit=100, equals={}))
    return [match.id for match in matches]


def found_by_old(address: str, model: str) -> Sequence[str]:
    """The same of an api from before; each of its scores is a number."""
    scores = on(address, lambda engine: old_api.search(engine, vector(0).floats(), model))
    assert not any(map(math.isnan, scores.values()))
    return list(scores)


def test_rows_land_in_their_spaces(address: str) -> None:
    """Those of the default model's engines in one, of any other fingerprint in one of its name."""
    go(address, HEAD_REVISION)
    assert found(address, DEFAULT) == ["old-0", "old-1", "old-2", "old-3"]
    assert found(address, "int8") == ["old-4"]


def test_apis_from_before_and_of_today_find_what_either_stores(address: str) -> None:
    """Neither finds a document by a former vector, and one of another size troubles nobody."""
    go(address, HEAD_REVISION)
    store_old(address, 9, FINGERPRINTS[0])
    store_old(address, 1, "int8")
    store(address, "new-5", vector(5))
    store(address, "old-2", vector(20), model=FINGERPRINTS[2])
    store(address, "old-3", vector(1, 8), "short", "short")
    assert found(address, DEFAULT) == ["old-0", "new-5", "old-9", "old-2"]
    assert found(address, "int8") == ["old-1", "old-4"]
    by_old = [["old-0", "new-5", "old-9"], [], ["old-2"], [], ["old-1", "old-4"]]
    assert [found_by_old(address, model) for model in FINGERPRINTS] == by_old
    with pytest.raises(DBAPIError, match="no document of this model was stored yet"):
        store_old(address, 8, "another model")
    go(address, "0001")
    assert [found_by_old(address, model) for model in FINGERPRINTS] == by_old


def test_a_downgrade_keeps_every_document(address: str) -> None:
    """Vectors of 384 dimensions in any space are there; then the step goes forward again."""
    go(address, HEAD_REVISION)
    store(address, "new-9", vector(9))
    store(address, "short", vector(1, 8), "short", "short")
    store(address, "elsewhere", vector(1), "space", "fingerprint")
    go(address, "0001")
    assert sql(address, "SELECT count(*) FROM documents") == len(FINGERPRINTS) + 3
    assert found_by_old(address, "fingerprint") == ["elsewhere"]
    go(address, HEAD_REVISION)
    assert found(address, DEFAULT) == ["old-0", "old-1", "old-2", "old-3", "new-9"]
    assert found(address, "fingerprint") == ["elsewhere"]
    assert sql(address, "SELECT count(*) FROM embeddings WHERE space = 'short'") == 0


def test_documents_of_another_model_can_be_moved_to_its_space(address: str) -> None:
    """The statement in docs/operations.md takes what lies under a model's fingerprint to the space it has now."""
    go(address, HEAD_REVISION)
    store(address, "first", vector(9), "space", "int8")
    store_old(address, 5, "int8")
    assert found(address, "space") == ["first"]
    sql(address, "UPDATE embeddings SET space = 'space' WHERE space = 'int8'")
    assert found(address, "space") == ["old-4", "old-5", "first"]


def test_any_name_of_a_model_is_moved(address: str) -> None:
    """Whatever characters it has, and whatever a backslash means to this database."""
    store_old(address, 7, ODD)
    sql(address, FOR_DATABASE.format("standard_conforming_strings = off"))
    go(address, HEAD_REVISION)
    assert found(address, ODD) == ["old-7"]
    store(address, "new", vector(8), ODD + "2")
    assert found(address, ODD + "2") == ["new"]


def test_indexes_are_built_in_memory_and_without_a_limit_of_time(address: str) -> None:
    """Whatever the server's settings are, and by one process: a container's /dev/shm is small."""
    watch = "CREATE EVENT TRIGGER note ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION note()"
    sql(address, "CREATE TABLE seen (settings text)", NOTE, watch, FOR_DATABASE.format("statement_timeout = 60000"))
    go(address, HEAD_REVISION)
    assert sql(address, "SELECT array_agg(DISTINCT settings) FROM seen") == ["512MB 0 0"]


def test_one_vector_is_in_one_index(address: str) -> None:
    """The step drops the index of apis from before, and the way back makes it again."""
    there = "SELECT count(*) FROM pg_class WHERE relname = 'documents_embedding'"
    go(address, HEAD_REVISION)
    assert sql(address, there) == 0
    go(address, "0001")
    assert sql(address, there) == 1


def test_a_reader_that_does_not_end_stops_nobody(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The step leaves an index for it and says so. The way back gives up, and leaves everything as it was."""

    async def run(engine: AsyncEngine) -> None:
        async with engine.connect() as reader:
            await reader.execute(text("SELECT FROM documents"))
            await asyncio.wait_for(migrate(ApiSettings(database_url=address), HEAD_REVISION), 60)
            with pytest.raises(DBAPIError, match="lock timeout"):
                await asyncio.wait_for(migrate(ApiSettings(database_url=address), "0001"), 60)

    on(address, run)
    assert "documents_embedding is in use" in capsys.readouterr().err
    assert sql(address, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'documents_embedding'::regclass")
    assert found(address, DEFAULT) == ["old-0", "old-1", "old-2", "old-3"]


def test_a_writer_that_does_not_end_keeps_nobody_waiting(address: str) -> None:
    """The step gives up behind its open transaction, since all other writers wait behind the step."""

    async def run(engine: AsyncEngine) -> None:
        async with engine.connect() as writer:
            await writer.execute(text("DELETE FROM documents"))
            with pytest.raises(DBAPIError, match="lock timeout"):
                await asyncio.wait_for(migrate(ApiSettings(database_url=address), HEAD_REVISION), 60)

    on(address, run)
    assert found_by_old(address, FINGERPRINTS[0]) == ["old-0"]


def test_one_who_has_read_and_waits_to_write_is_no_deadlock(address: str) -> None:
    """The step ends without dropping the index that the other one has read, who then writes."""

    async def run(engine: AsyncEngine) -> None:
        async with asyncio.timeout(60), engine.connect() as other, engine.connect() as watch:
            await other.execute(text("SET deadlock_timeout = '60s'"))  # the step is the one to notice
            await other.execute(text("SELECT FROM documents"))
            step = asyncio.create_task(migrate(ApiSettings(database_url=address), HEAD_REVISION))
            while not await watch.scalar(text(HELD)):
                await asyncio.sleep(0.005)
            await other.execute(text("UPDATE documents SET text = 'written' WHERE id = 'old-0'"))
            await step
            await other.commit()

    on(address, run)
    assert found(address, DEFAULT) == ["old-0", "old-1", "old-2", "old-3"]
