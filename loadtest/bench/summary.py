"""Computes medians and ratios from rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from loadtest.bench.cases import Row
from loadtest.bench.goals import GOALS, Goal, Round

FIGURES = ("ready_seconds", "first_ms", "p50_ms_c1", "texts_per_s_c32", "texts_per_s_b32", "rss_mb")


@dataclass(frozen=True)
class Outcome:
    """A goal's value in each round that has all its rows, and their median; the same of its limit, if it has one."""

    goal: Goal
    values: tuple[float, ...]
    limit: "Outcome | None" = None

    @property
    def median(self) -> float:
        """The median over the rounds."""
        return median(self.values)

    @property
    def reached(self) -> bool:
        """Whether the median reaches the goal."""
        return self.goal.reached(self.median)

    @property
    def within_reach(self) -> bool:
        """Whether the limit reaches the goal."""
        return self.limit is None or self.limit.reached


def complete(rows: Sequence[Row], rounds: int) -> list[str]:
    """The systems that were measured in every round, in the order of their first row."""
    names = dict.fromkeys(row["system"] for row in rows)
    return [name for name in names if len(_measured(rows, name)) == rounds]


def outcomes(rows: Sequence[Row]) -> list[Outcome]:
    """Of all goals whose systems were measured together in at least one round."""
    by_round: dict[int, dict[str, Row]] = {}
    for row in rows:
        if "failed" not in row:
            by_round.setdefault(row["round"], {})[row["system"]] = row
    return [found for goal in GOALS if (found := _outcome(goal, list(by_round.values())))]


def _outcome(goal: Goal | None, rounds: Sequence[Round]) -> Outcome | None:
    if goal is None:
        return None
    values = tuple(value for each in rounds if (value := goal.value(each)) is not None)
    return Outcome(goal, values, _outcome(goal.at_limit, rounds)) if values else None


def summary(rows: Sequence[Row], rounds: int) -> dict[str, Any]:
    """The content of summary.json: medians by system, and the medians of the comparisons between two systems."""
    found = outcomes(rows)
    compared = [each for one in found for each in (one, one.limit) if each and each.goal.compares]
    return {
        "rounds": rounds,
        "systems": {
            name: {figure: _rounded(median(row[figure] for row in _measured(rows, name))) for figure in FIGURES}
            for name in complete(rows, rounds)
        },
        "ratios": {each.goal.name: _rounded(each.median) for each in compared},
    }


def _measured(rows: Sequence[Row], name: str) -> list[Row]:
    return [row for row in rows if row["system"] == name and "failed" not in row]


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
