"""The ledger: the outcome of every request."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from loadtest.openloop import Row
from loadtest.openloop.verdict import LATE
from loadtest.percentiles import percentile

WAITED = 1.0  # seconds after a request's scheduled time: a client whose answer comes later has waited
OK = "ok"


def kind(row: Row) -> str:
    """`ok`, a status and its code (`503 overloaded`), or what came instead of an answer, such as `reset`.

    A stream that ended with an error event has a status of 200 and the error's code.
    """
    if row.ok:
        return OK
    if row.status is not None and (row.status >= 300 or row.code):
        return f"{row.status} {row.code or ''}".strip()
    return (row.error or "unfinished").partition(":")[0]


@dataclass(frozen=True)
class Ledger:
    """Counts of requests; latencies in milliseconds, of good answers, from the scheduled time; None without any."""

    sent: int
    ok: int
    failed: dict[str, int]
    waited: int
    late: int
    p50: float | None
    p99: float | None
    slowest: float | None

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Ledger":
        """The ledger of these rows."""
        kinds = Counter(kind(row) for row in rows)
        good = [row.latency * 1000 for row in rows if row.ok]
        return cls(
            sent=len(rows),
            ok=kinds.pop(OK, 0),
            failed=dict(sorted(kinds.items())),
            waited=sum(row.ok and row.latency > WAITED for row in rows),
            late=sum(row.lag > LATE for row in rows),
            p50=round(percentile(good, 50), 1) if good else None,
            p99=round(percentile(good, 99), 1) if good else None,
            slowest=round(max(good), 1) if good else None,
        )

    @property
    def lost(self) -> int:
        """Requests without a good answer."""
        return self.sent - self.ok


def unexpected(rows: Iterable[Row], allowed: Iterable[str], radius: Collection[str]) -> list[Row]:
    """Failures that no pattern of `allowed` names, such as `503 *`, and those of streams outside of the radius."""
    patterns = tuple(allowed)

    def may_be(row: Row) -> bool:
        return row.stream in radius and any(fnmatch(kind(row), each) for each in patterns)

    return [row for row in rows if not row.ok and not may_be(row)]


def unrecovered(rows: Iterable[Row], end: float) -> dict[str, float]:
    """Streams whose last failure was due after `end`, and after their last good answer; and when it was due.

    A stream that asked for nothing after `end` isn't among them: of such a one nobody knows.
    """
    good, failed = dict[str, float](), dict[str, float]()
    for row in rows:
        last = good if row.ok else failed
        last[row.stream] = max(row.scheduled, last.get(row.stream, row.scheduled))
    return {stream: at for stream, at in failed.items() if at > max(end, good.get(stream, end))}


def in_flight(row: Row, begin: float, end: float, slack: float = 0.05) -> bool:
    """Whether the request was under way between two moments of monotonic time, give or take `slack` seconds."""
    return row.sent - slack <= end and (row.done is None or row.done + slack >= begin)
