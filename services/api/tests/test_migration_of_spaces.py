"""Revision 0002 moves vectors into their spaces without embedding anything again, and back."""

import asyncio
import struct
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from api.embedding import Embedding
from api.migrate import migrate
from api.settings import ApiSettings
from api.store.documents import NewDocument, upsert
from api.store.search import search
from contract.space import DEFAULT, KNOWN
from services.api.tests.helpers.databases import own_database, sql
from stack import EmbeddedStack

OLD_INSERT = """
INSERT INTO documents (id, text, metadata, model, embedding, updated_at)
SELECT '{id}', 'text', '{{}}', '{model}',
  array_cat(ARRAY[1, {number}]::float[], array_fill(0::float, ARRAY[382]))::vector,
  now()
ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding, model = excluded.model
"""
OLD_SEARCH = """
SELECT array_agg(id ORDER BY embedding <=> (SELECT embedding FROM documents WHERE id = 'old-0')) FROM documents
"""
FINGERPRINTS = [*KNOWN, "int8"]


def old(number: int, model: str) -> str:
    """How an api from before the revision stores a document."""
    return OLD_INSERT.format(id=f"old-{number}", model=model, number=number)


@pytest.fixture
def address(stack: EmbeddedStack) -> Iterator[str]:
    """A database at revision 0001, with a document of each fingerprint of the default model, and one of int8."""
    with own_database(stack.url("postgres")) as own:
        go(own, "0001")
        sql(own, *(old(number, model) for number, model in enumerate(FINGERPRINTS)))
        yield own


def go(address: str, revision: str) -> None:
    """Run the migrate step to this revision."""
    asyncio.run(migrate(ApiSettings(database_url=address), revision))


def vector(number: int, dimensions: int = 384) -> Embedding:
    """That of the document with the number."""
    return Embedding(1, struct.pack(f"<{dimensions}f", 1, number, *[0] * (dimensions - 2)))


def store(address: str, name: str, embedding: Embedding, space: str = DEFAULT) -> None:
    """As an api of today stores it."""

    async def run() -> None:
        engine = create_async_engine(address)
        await upsert(engine, [NewDocument(name, "text", {})], {space: [embedding]}, next(iter(KNOWN)))
        await engine.dispose()

    asyncio.run(run())


def found(address: str, space: str) -> Sequence[str]:
    """What a search near document 0 finds."""

    async def run() -> list[str]:
        engine = create_async_engine(address)
        matches = await search(engine, vector(0), space, limit=100, equals={})
        await engine.dispose()
        return [match.id for match in matches]

    return asyncio.run(run())


def test_rows_land_in_their_spaces(address: str) -> None:
    """Those of the default model's engines in one, of any other fingerprint in one of its name."""
    go(address, "0002")
    assert found(address, DEFAULT) == ["old-0", "old-1", "old-2", "old-3"]
    assert found(address, "int8") == ["old-4"]


def test_an_api_from_before_goes_on(address: str) -> None:
    """What it stores, the others find; what they store again, it doesn't find by the former vector."""
    go(address, "0002")
    sql(address, old(9, FINGERPRINTS[0]), old(1, FINGERPRINTS[4]))
    assert found(address, DEFAULT) == ["old-0", "old-2", "old-3", "old-9"]
    assert found(address, "int8") == ["old-1", "old-4"]
    store(address, "old-2", vector(20))
    assert sql(address, "SELECT embedding FROM documents WHERE id = 'old-2'") is None
    with pytest.raises(Exception, match="no document of this model was stored yet"):
        sql(address, old(8, "another model"))


def test_a_downgrade_keeps_every_document(address: str) -> None:
    """Vectors of 384 dimensions are where they were, and so are later ones; then the step goes forward again."""
    go(address, "0002")
    store(address, "old-9", vector(9))
    store(address, "short", vector(1, 8), "another")
    go(address, "0001")
    assert sql(address, "SELECT array_agg(id ORDER BY id) FROM documents WHERE embedding IS NULL") == ["short"]
    assert sql(address, OLD_SEARCH)[:6] == [f"old-{number}" for number in (0, 1, 2, 3, 4, 9)]
    go(address, "0002")
    assert found(address, DEFAULT) == ["old-0", "old-1", "old-2", "old-3", "old-9"]
