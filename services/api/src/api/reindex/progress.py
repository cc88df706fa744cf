"""How far the backfill has come: noted in Postgres for the api, and said with the rate and the time left."""

from collections import deque
from contextlib import suppress
from time import monotonic

from sqlalchemy.ext.asyncio import AsyncEngine

from api.reindex.output import Output
from api.store import replacement
from warmstart.errors import DependencyUnavailable

NOTED = 1.0  # seconds between two notes
ON_TERMINAL, ELSEWHERE = 0.5, 10.0  # seconds between two things said
WINDOW = 30.0  # seconds over which the rate is measured


class Progress:
    """`done` of `total` documents have a vector. `engine` is None where it is not to be noted."""

    def __init__(self, engine: AsyncEngine | None, output: Output) -> None:
        self._engine = engine
        self._output = output
        self._every = ON_TERMINAL if output.terminal else ELSEWHERE
        self._noted = float("-inf")
        self._said = monotonic()
        self._past: deque[tuple[float, int]] = deque()
        self.done = self.total = self.made = 0

    async def counted(self, lacking: int, total: int) -> None:
        """Begin, or begin again, with what Postgres has counted."""
        self.done, self.total = total - lacking, total
        self._past.clear()
        self._past.append((monotonic(), self.done))
        await self._note()

    async def made_more(self, number: int) -> None:
        """So many more documents have a vector."""
        now = monotonic()
        self.made += number
        self.done = min(self.done + number, self.total)
        self._past.append((now, self.done))
        while now - self._past[0][0] > WINDOW and len(self._past) > 2:
            self._past.popleft()
        if now - self._noted >= NOTED:
            await self._note()
        if now - self._said >= self._every:
            self._said = now
            self._output.progress(self.done / max(1, self.total), self.words())

    def words(self) -> str:
        """The progress for people."""
        (before, then), (now, done) = self._past[0], self._past[-1]
        rate = (done - then) / (now - before) if now > before else 0.0
        left = f", {duration((self.total - self.done) / rate)} left" if rate else ""
        return f"{self.done:,} of {self.total:,} documents, {rate:.0f}/s{left}"

    async def _note(self) -> None:
        self._noted = monotonic()
        if self._engine:
            with suppress(DependencyUnavailable):  # the next statement that matters waits for Postgres
                await replacement.note(self._engine, self.done, self.total)


def duration(seconds: float) -> str:
    """Seconds for people."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
