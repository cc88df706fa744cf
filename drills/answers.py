"""Judges the answers of searches while a model is replaced: each must be right in the space that was served then."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from drills.corpus import ALL, NEAREST
from drills.exact import TOLERANCE, Exact, Space
from loadtest.openloop import Row

FOREVER = float("inf")


class Served:
    """Which space was served when. A step that changes it takes time: meanwhile, both may be."""

    def __init__(self, first: str) -> None:
        self._since: list[tuple[float, str]] = [(-FOREVER, first)]
        self._until: list[float] = []

    @property
    def now(self) -> str:
        """The space that is served now."""
        return self._since[-1][1]

    def change(self, begin: float, end: float, space: str) -> None:
        """Note that a step between two moments of monotonic time has changed it."""
        self._since.append((begin, space))
        self._until.append(end)

    def between(self, begin: float, end: float) -> set[str]:
        """The spaces by which a request that was under way between two moments may have been answered."""
        ends = [*self._until, FOREVER]
        return {
            space for (since, space), until in zip(self._since, ends, strict=True) if since <= end and begin <= until
        }


@dataclass
class Findings:
    """Of all searches.

    Attributes:
        asked: how many there were.
        wrong: by reason; the spaces' names are in it.
        fewer: how many had fewer results than before.
        overlaps: by phase, the share of the nearest documents that each search through the index has found.
        order: the spaces in the order in which they have answered; each change is one more.
    """

    asked: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    fewer: int = 0
    overlaps: dict[str, list[float]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def nearness(self, phase: str) -> float:
        """The mean share of the nearest documents that the searches of a phase have found."""
        return fmean(self.overlaps.get(phase) or [0.0])


def judge(rows: Iterable[Row], exact: Mapping[str, Exact], served: Served, phases: Mapping[str, float]) -> Findings:
    """Judge each good answer. `phases` have their begin, in the order of time; `exact` goes by space."""
    found = Findings()
    for row in sorted(rows, key=lambda each: each.done or FOREVER):
        if row.kept is None or row.done is None:
            continue
        found.asked += 1
        allowed = served.between(row.sent, row.done)
        right = [name for name in sorted(allowed) if not exact[name].wrong(row.kept)]
        group = row.kept["group"]
        any_of_them = next(iter(exact.values()))
        found.fewer += len(row.kept["found"]) < any_of_them.expected(NEAREST if group is None else ALL, group)
        if not right:
            found.wrong[_why(row.kept, exact, allowed)] += 1
            continue
        if len(allowed) == 1 and found.order[-1:] != right:
            found.order += right
        if group is None:
            phase = [name for name, begin in phases.items() if begin <= row.scheduled][-1]
            found.overlaps.setdefault(phase, []).append(exact[right[0]].overlap(row.kept))
    return found


def _why(kept: Mapping[str, Any], exact: Mapping[str, Exact], allowed: set[str]) -> str:
    others = [name for name in exact if name not in allowed and not exact[name].wrong(kept)]
    if others:
        return f"of the {others[0]} space, while searches used the {' or the '.join(sorted(allowed))} one"
    return "; ".join(f"in the {name} space {exact[name].wrong(kept)}" for name in sorted(allowed))


@dataclass(frozen=True)
class Look:
    """What a search found of the documents that the load writes, and when; in the space of that name."""

    begin: float
    end: float
    space: str
    found: Mapping[str, float]


def lacking(look: Look, writes: Sequence[Row], space: Space, query: str) -> Counter[str]:
    """What the look should have found, by reason.

    A document is there since its first write was answered, with the text of its last write, or of one that was under
    way at the same time.
    """
    by_id: dict[str, list[Row]] = {}
    for row in writes:
        if row.kept and row.sent <= look.end:
            by_id.setdefault(row.kept["id"], []).append(row)
    lost: Counter[str] = Counter()
    for name, known in by_id.items():
        before = [row for row in known if (row.done or FOREVER) < look.begin]
        if not before:
            continue
        last = max(row.sent for row in before)
        texts = [row.kept["text"] for row in known if (row.done or FOREVER) >= last]
        if name not in look.found:
            lost["not found"] += 1
        elif not any(abs(space.score(query, text) - look.found[name]) <= TOLERANCE for text in texts):
            lost["found by another text than the last"] += 1
    return lost
