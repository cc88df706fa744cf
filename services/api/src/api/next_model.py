"""The model that replaces the served one, while a replacement is under way: the row as last read, and its workers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from api.postgres import Database
from api.settings import ApiSettings
from api.store import replacement
from api.store.replacement import Replacement
from api.worker_client import WorkerClient
from api.worker_secret import WorkerSecret
from warmstart.errors import DependencyUnavailable

LOOK = 0.5  # seconds to read the row: less than a health sample has


class NextModel:
    """What this process knows of it."""

    def __init__(self, engine: AsyncEngine, worker: WorkerClient) -> None:
        self._engine = engine
        self.worker = worker
        self.replacement: Replacement | None = None

    async def read(self) -> Replacement | None:
        """What is under way now. Raises DependencyUnavailable when Postgres can't be reached."""
        self.replacement = await replacement.read(self._engine)
        return self.replacement


@asynccontextmanager
async def open_next_model(app: FastAPI) -> AsyncIterator[NextModel]:
    """Yield it without a call to its workers: while nothing is replaced, there are none."""
    settings: ApiSettings = app.state.settings
    database: Database = app.state.postgres
    async with WorkerClient(settings.next_worker_url, settings.worker_patience, WorkerSecret(settings)) as worker:
        yield NextModel(database.engine, worker)


async def check_next_model(known: NextModel) -> None:
    """Take note of the replacement. Raise while one is under way and the next model's workers don't answer."""
    with suppress(DependencyUnavailable, TimeoutError):  # Postgres has a check of its own
        async with asyncio.timeout(LOOK):
            await known.read()
    if known.replacement:
        await known.worker.refresh()
