"""Documents that get no vector in this run, because the worker or Postgres fails at each of them alone."""

from collections.abc import Iterable

from api.reindex.output import Output
from api.store.backfill import Found

NAMED = 20  # documents that are named by id


class Skipped:
    """They are passed over for as long as they have the text that failed."""

    def __init__(self) -> None:
        self._texts: dict[str, int] = {}
        self._why: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._why)

    def add(self, found: Found, why: str) -> None:
        """Pass over this document; `why` quotes nothing of its text."""
        self._texts[found.id], self._why[found.id] = hash(found.text), why

    def without(self, page: Iterable[Found]) -> list[Found]:
        """Those that are not passed over."""
        return [each for each in page if self._texts.get(each.id) != hash(each.text)]

    def tell(self, output: Output) -> None:
        """Name them."""
        for name, why in list(self._why.items())[:NAMED]:
            output.line(f"  skipped {name}: {why}")
        if len(self._why) > NAMED:
            output.line(f"  and {len(self._why) - NAMED} more")
