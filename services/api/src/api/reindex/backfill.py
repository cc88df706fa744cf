"""Gives every document a vector in a space: page after page, from the worker to Postgres."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from math import isfinite

from sqlalchemy.ext.asyncio import AsyncEngine

from api.reindex.embedding import AT_ONCE, Embedded, Embedder
from api.reindex.outage import Outage
from api.reindex.progress import Progress
from api.reindex.skipped import Skipped
from api.store import backfill, replacement
from api.store.backfill import Found
from contract.limits import INPUTS

PAGE = INPUTS  # documents


@dataclass(kw_only=True)
class Backfill:
    """Of one space. It waits for Postgres and for the worker as long as they are away."""

    engine: AsyncEngine
    space: str
    embedder: Embedder
    skipped: Skipped
    progress: Progress
    postgres: Outage

    async def run(self) -> None:
        """Return when no document lacks a vector but those that were skipped, and few that were stored meanwhile.

        Raises ReplacementError when the replacement has ended.
        """
        while await self._left() > 0:
            # Where writers that know nothing of the space go on, no pass finds nothing.
            if await self._pass() < PAGE:
                await self._left()
                return

    async def _left(self) -> int:
        """How many documents lack a vector, besides those that are skipped."""
        lacking, total = await self.postgres.outlast(lambda: replacement.count(self.engine, self.space))
        await self.progress.counted(lacking, total)
        return lacking - await self.skipped.review(self.engine, self.space, self.postgres)

    async def _pass(self) -> int:
        """Go once through all documents; returns how many it gave a vector."""
        before = self.progress.made
        pages, turn = self._pages(), asyncio.Lock()

        async def carry() -> None:
            while True:
                async with turn:
                    page = await anext(pages, None)
                if page is None:
                    return
                await self.progress.made_more(await self._write(await self.embedder.embed(page)))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(carry())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return self.progress.made - before

    async def _pages(self) -> AsyncIterator[Sequence[Found]]:
        after = ""
        while page := await self._page(after):
            after = page[-1].id
            if wanted := self.skipped.without(page):
                yield wanted

    async def _page(self, after: str) -> list[Found]:
        return await self.postgres.outlast(lambda: backfill.page(self.engine, self.space, after, PAGE))

    async def _write(self, embedded: Embedded) -> int:
        """Write those that Postgres can take."""
        sound: Embedded = []
        for found, vector in embedded:
            if isfinite(sum(vector.floats())):
                sound.append((found, vector))
            else:
                self.skipped.add(found, "its vector has numbers that are none")
        return await self.postgres.outlast(lambda: backfill.write(self.engine, self.space, sound)) if sound else 0
