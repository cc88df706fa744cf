"""Documents that get no vector in this run, because the worker or Postgres fails at each of them alone."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncEngine

from api.reindex.outage import Outage
from api.reindex.output import Output
from api.store import backfill
from api.store.backfill import Found
from contract.limits import INPUTS

NAMED = 20  # documents that are named by id


class Skipped:
    """They are passed over for as long as they have the text that failed."""

    def __init__(self) -> None:
        self._texts: dict[str, int] = {}
        self._why: dict[str, str] = {}

    def add(self, found: Found, why: str) -> None:
        """Pass over this document; `why` quotes nothing of its text."""
        self._texts[found.id], self._why[found.id] = hash(found.text), why

    def without(self, page: Iterable[Found]) -> list[Found]:
        """Those that are not passed over."""
        return [each for each in page if self._texts.get(each.id) != hash(each.text)]

    async def review(self, engine: AsyncEngine, space: str, postgres: Outage) -> int:
        """Forget those that have a vector by now or another text, or are gone; returns how many are left."""
        ids = sorted(self._why)
        for first in range(0, len(ids), INPUTS):
            some = ids[first : first + INPUTS]
            lacking = await postgres.outlast(lambda: backfill.lacking(engine, space, some))  # noqa: B023
            for name in {*some} - {each.id for each in lacking if self._texts[each.id] == hash(each.text)}:
                del self._texts[name], self._why[name]
        return len(self._why)

    def tell(self, output: Output) -> None:
        """Name them."""
        for name, why in list(self._why.items())[:NAMED]:
            output.line(f"  skipped {name}: {why}")
        if len(self._why) > NAMED:
            output.line(f"  and {len(self._why) - NAMED} more")
