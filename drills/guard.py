"""What ends a drill early: harm beyond its blast radius, and a control that has shown what it must."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from drills.ledger import kind
from loadtest.openloop import Row
from stack import StackError


class Aborted(StackError):
    """Too many requests outside the drill's blast radius have failed; the message says which, and how."""


class Shown(StackError):
    """A control has violated what it must."""


class Tail:
    """Reads the rows of a load while the generator writes them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0  # bytes

    def rows(self) -> Iterator[Row]:
        """Those that are new."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # the generator is still writing it
                self._read += len(line)
                fields = json.loads(line)
                if "number" in fields:  # the first line says what runs, the last one how it ended
                    yield Row(**fields)


class Guard:
    """The abort rule: a drill ends when requests suffer that its row of the matrix promises to leave alone.

    Args:
        path: the file of the rows.
        radius: names of the streams whose requests may fail (`drills.row.Row.radius`).
        limit: so many failures outside of it abort the drill.
    """

    def __init__(self, path: Path, radius: Collection[str], limit: int) -> None:
        self._tail, self._radius, self._limit = Tail(path), radius, limit
        self._harm: Counter[str] = Counter()

    def check(self) -> None:
        """Raise Aborted when the limit is reached."""
        self._harm.update(
            f"{row.stream}: {kind(row)}" for row in self._tail.rows() if not row.ok and row.stream not in self._radius
        )
        if (failed := self._harm.total()) >= self._limit:
            named = ", ".join(f"{count} x {each}" for each, count in self._harm.most_common(5))
            raise Aborted(f"{failed} requests outside the blast radius failed ({named})")


class Proof:
    """Counts the failed requests of a control that would not have failed in its drill.

    Args:
        path: the file of the rows.
        limit: so many are enough.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._tail, self._limit = Tail(path), limit
        self._failed: list[Row] = []

    def found(self, counts: Callable[[Row], bool]) -> bool:
        """Whether there are enough of those for which `counts` holds."""
        self._failed += [row for row in self._tail.rows() if not row.ok]
        return sum(map(counts, self._failed)) >= self._limit
