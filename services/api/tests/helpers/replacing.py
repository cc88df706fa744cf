"""A model that is replaced by another one: two stand-ins for their workers, documents, and the job's steps."""

import asyncio
import io
import os
import struct
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from api.embedding import Embedding
from api.reindex.__main__ import parse, run
from api.reindex.output import Output
from api.settings import ApiSettings
from api.store import replacement
from api.store.documents import NewDocument, upsert
from services.api.tests.helpers.standin import StandIn
from stack.waiting import until_async

OLD, NEW = "space-a", "space-b"

_MANY = """
WITH stored AS (
  INSERT INTO documents SELECT 'd' || lpad(i::text, 6, '0'), repeat('x', 1 + i % 50), '{}', 'm', array_fill(0, '{384}'),
    now() FROM generate_series(1, :number) i RETURNING id, text)
SELECT count(*) FROM stored
"""
_WRONG = """
SELECT count(*) FROM documents LEFT JOIN embeddings ON id = document_id AND space = :space
WHERE (embeddings.embedding::real[])[CAST(:place AS int)] IS DISTINCT FROM length(text)
"""


def old_vector(item: str) -> Sequence[float]:
    """A text's length, where the new model's vectors have nothing."""
    return (len(item), 0, 0, 0)


def new_vector(item: str) -> Sequence[float]:
    """A text's length, where the old model's vectors have nothing."""
    return (0, len(item), 0, 0)


@dataclass
class World:
    """Both workers, the database and what the steps of this process have said."""

    address: str
    engine: AsyncEngine
    old: StandIn
    new: StandIn
    said: io.StringIO
    started: list[asyncio.subprocess.Process] = field(default_factory=list)

    def settings(self, **changes: Any) -> ApiSettings:
        """The job's settings."""
        return ApiSettings(**{**self.urls(), "startup_timeout": 20, **changes})

    def urls(self) -> dict[str, str]:
        """Where everything is."""
        return {"database_url": self.address, "worker_url": self.old.url, "next_worker_url": self.new.url}

    async def step(self, *arguments: str, **changes: Any) -> str:
        """Do a step in this process; returns what it said. Raises what the command turns into exit status 1."""
        before = len(self.said.getvalue())
        await run(self.settings(**changes), parse(arguments), Output(self.said))
        return self.said.getvalue()[before:]

    async def command(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start it as a process."""
        given = {name.upper(): value for name, value in self.urls().items()}
        command = sys.executable, "-m", "api.reindex", *arguments
        pipe = asyncio.subprocess.PIPE
        environment = {**os.environ, **given, "STARTUP_TIMEOUT": "20"}
        started = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)
        self.started.append(started)
        return started

    async def many(self, number: int) -> None:
        """Store documents as an api without any model would."""
        async with self.engine.begin() as connection:
            await connection.execute(text("SET LOCAL warmstart.spaces = '1'"))
            await connection.execute(text(_MANY), {"number": number})

    async def store(self, name: str, content: str, *spaces: str) -> None:
        """Store a document as an api that knows these spaces does."""
        workers = {OLD: self.old, NEW: self.new}
        vectors = {each: [Embedding(1, struct.pack("<4f", *workers[each].vector(content)))] for each in spaces}
        await upsert(self.engine, [NewDocument(name, content, {})], vectors, spaces[0])

    async def served(self) -> str:
        """The space that searches use."""
        found = await replacement.read(self.engine)
        assert found
        return found.served

    async def wrong(self, space: str) -> int:
        """How many documents have no vector of their own text in the space."""
        async with self.engine.connect() as connection:
            given = {"space": space, "place": 1 if space == OLD else 2}
            return int(await connection.scalar(text(_WRONG), given))

    async def until_said(self, words: str) -> None:
        """Wait until a step of this process has said it."""
        await until_async(lambda: words in self.said.getvalue(), 20, words)


@asynccontextmanager
async def replacing(address: str) -> AsyncIterator[World]:
    """A model and its successor, which no step has begun to put in its place."""
    engine = create_async_engine(address)
    old, new = StandIn(), StandIn()
    old.name, old.space, old.fingerprint, old.vector = "model-a", OLD, "fp-a", old_vector
    new.name, new.space, new.fingerprint, new.vector = "model-b", NEW, "fp-b", new_vector
    async with old.running(), new.running():
        world = World(address, engine, old, new, io.StringIO())
        try:
            yield world
        finally:
            for each in world.started:  # of a test that failed: it would wait for its database for ever
                if each.returncode is None:
                    each.kill()
                    await each.wait()
    await engine.dispose()


async def called(worker: StandIn) -> None:
    """Wait until the worker has been called; by then, the job has read a page of documents."""
    await until_async(lambda: worker.calls, 20, "a call")
