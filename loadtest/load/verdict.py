"""Judges a load test by its raw rows."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadtest.openloop import Row, Verdict
from loadtest.percentiles import percentile

GOOD, BROKEN, INVALID = 0, 1, 2


@dataclass(frozen=True)
class Thresholds:
    """`failed` is a share of all requests, `p95` the seconds allowed for each kind of request."""

    failed: float
    p95: float


def failures(rows: Sequence[Row], limits: Thresholds) -> list[str]:
    """A line when too many requests failed."""
    if not rows:
        return ["no request was answered"]
    kinds = Counter(row.error or str(row.status) for row in rows if not row.ok)
    if kinds.total() <= limits.failed * len(rows):
        return []
    named = ", ".join(f"{count} x {kind}" for kind, count in kinds.most_common(5))
    return [f"{kinds.total()} of {len(rows)} requests failed ({named}); allowed {limits.failed:.2%}"]


def slow(rows: Sequence[Row], limits: Thresholds) -> list[str]:
    """A line for each kind of request that took too long."""
    found = []
    for name, answered in sorted(grouped(row for row in rows if row.ok).items()):
        p95 = percentile([row.latency for row in answered], 95)
        if p95 > limits.p95:
            found.append(f"{name}: p95 is {p95:.2f} s; allowed {limits.p95:g} s")
    return found


def grouped(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Group rows by name."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.stream].append(row)
    return groups


def table(rows: Sequence[Row]) -> str:
    """Counts and percentiles of each kind, from raw rows."""
    lines = [f"{'from raw rows, ms':34}{'requests':>9}{'failed':>8}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}"]
    for name, group in sorted(grouped(rows).items()):
        good = [row.latency * 1000 for row in group if row.ok]
        times = [percentile(good, share) for share in (50, 95, 99, 100)] if good else []
        lines.append(f"{name:34}{len(group):9}{len(group) - len(good):8}" + "".join(f"{time:8.1f}" for time in times))
    return "\n".join(lines)


def conclude(
    rows: Sequence[Row], limits: Thresholds, generator: Verdict | None, faults: Sequence[str] = ()
) -> tuple[int, str]:
    """The exit code, and the text of the conclusion; `faults` are of the load test itself.

    Latencies of a generator that fell behind are its own, closed-loop ones too: the users share its process.
    """
    said = [table(rows), f"Thresholds: at most {limits.failed:.2%} of all requests fail, p95 within {limits.p95:g} s."]
    invalid = generator is not None and not generator.valid
    problems = [*faults, *failures(rows, limits), *([] if invalid else slow(rows, limits))]
    said += [f"BROKEN: {problem}" for problem in problems]
    if generator and invalid:
        said.append(f"INVALID: {generator.reason}. Latencies say nothing; use a faster machine or a lower rate.")
    if not problems and not invalid:
        said.append("All thresholds are kept.")
    return (BROKEN if problems else INVALID if invalid else GOOD), "\n".join(said)
