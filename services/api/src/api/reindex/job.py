"""What every step needs: Postgres, the workers, and a place to say what it does."""

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from sqlalchemy.ext.asyncio import AsyncEngine

from api.postgres import create_engine
from api.postgres_connection import Connector
from api.reindex.backfill import Backfill
from api.reindex.embedding import Embedder
from api.reindex.outage import Outage
from api.reindex.output import Output
from api.reindex.progress import Progress
from api.reindex.skipped import Skipped
from api.reindex.workers import Workers
from api.settings import ApiSettings
from api.store import replacement
from api.store.replacement import Replacement, ReplacementError
from contract.prompts import DOCUMENT

COMMAND_TIMEOUT = 120.0  # seconds: a million documents are counted
CONNECTIONS = 4  # two pages, the note of the progress, and one to spare


@dataclass(frozen=True)
class Job:
    """One run of the command."""

    settings: ApiSettings
    engine: AsyncEngine
    workers: Workers
    output: Output
    postgres: Outage
    worker: Outage
    skipped: defaultdict[str, Skipped] = field(default_factory=lambda: defaultdict(Skipped))  # by space

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: ApiSettings, output: Output) -> AsyncIterator[Self]:
        """Nothing is called yet."""
        connector = Connector(settings, command_timeout=COMMAND_TIMEOUT)
        engine = create_engine(connector, pool_size=CONNECTIONS, max_overflow=0, pool_timeout=COMMAND_TIMEOUT)
        async with Workers.open(settings) as workers:
            try:
                yield cls(settings, engine, workers, output, Outage(output), Outage(output))
            finally:
                await engine.dispose()

    @property
    def patience(self) -> float:
        """Seconds to wait for what is away before anything has been done."""
        return self.settings.startup_timeout

    async def under_way(self) -> Replacement | None:
        """The replacement. Raises DependencyUnavailable when Postgres stays away."""
        return await self.postgres.outlast(lambda: replacement.read(self.engine), self.patience)

    async def needed(self) -> Replacement:
        """The replacement. Raises ReplacementError when there is none."""
        if not (found := await self.under_way()):
            raise ReplacementError("no model is being replaced")
        return found

    async def fill(self, under_way: Replacement, space: str) -> None:
        """Embed what has no vector in the space, but what this run has skipped: that may end a worker each time."""
        skipped = self.skipped[space]
        progress = Progress(self.engine if space == under_way.new else None, self.output)
        embedder = self.embedder(under_way, space, DOCUMENT, skipped)
        filling = Backfill(
            engine=self.engine,
            space=space,
            embedder=embedder,
            skipped=skipped,
            progress=progress,
            postgres=self.postgres,
        )
        await filling.run()
        self.output.line(
            f"{name_of(under_way, space)}: {progress.done:,} of {progress.total:,} documents have a vector"
        )
        skipped.tell(self.output)

    def embedder(self, under_way: Replacement, space: str, prompt: str, skipped: Skipped) -> Embedder:
        """Embeds with the workers of one space."""
        return Embedder(
            workers=self.workers,
            space=space,
            name=name_of(under_way, space),
            prompt=prompt,
            seconds=self.settings.request_timeout,
            skipped=skipped,
            outage=self.worker,
        )


def name_of(under_way: Replacement, space: str) -> str:
    """The name of the space's model; with the space where both have one name, as with int8."""
    name = under_way.new_model if space == under_way.new else under_way.old_model
    return f"{name} ({space[:8]})" if under_way.old_model == under_way.new_model else name
