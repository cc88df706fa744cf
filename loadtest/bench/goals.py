"""The goals of the bench, as comparisons of measured figures.

Each comparison is computed within a round, whose systems ran minutes apart; then the median is taken. What is measured
against its limit, or against what is behind it, is measured in turns with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from loadtest.bench.cases import Row

IN_TURNS = "in_turns."
Round = Mapping[str, Row]  # rows by system


@dataclass(frozen=True)
class Goal:
    """`left` as a multiple of `right`, or `left` alone, and the bound for the result.

    `limit` is a system that does only what `left` can't leave out: where the limit misses the bound too, no such system
    could reach it on this machine, in this run.
    """

    figure: str
    left: str
    right: str | None
    sense: Literal["≥", "≤"]
    bound: float
    limit: str | None = None

    @property
    def at_limit(self) -> "Goal | None":
        """The same comparison for the limit."""
        return replace(self, left=self.limit, limit=None) if self.limit else None

    @property
    def compares(self) -> bool:
        """Whether it is about two systems."""
        return self.right is not None or self.figure.startswith(IN_TURNS)

    @property
    def name(self) -> str:
        """As in "textbook/worker-auto ready_seconds" or "worker-onnx in_turns.p50_ms_c1"."""
        return f"{self.left}/{self.right} {self.figure}" if self.right else f"{self.left} {self.figure}"

    def value(self, rows: Round) -> float | None:
        """The result in one round, None when a row of it is missing."""
        left = _figure(rows, self.left, self.figure)
        if self.right is None or left is None:
            return left
        right = _figure(rows, self.right, self.figure)
        if right is None:
            return None
        return left / right

    def reached(self, value: float) -> bool:
        """Whether the value is on the right side of the bound."""
        return value >= self.bound if self.sense == "≥" else value <= self.bound


def _figure(rows: Round, system: str, figure: str) -> float | None:
    """The figure of a row; `first_to_steady.text` is a key within a key."""
    value: Row | float | None = rows.get(system)
    for key in figure.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, (int, float)) else None


def _at_most(bound: float, figure: str, system: str) -> Goal:
    return Goal(figure, system, None, "≤", bound)


def _at_least(bound: float, figure: str, system: str) -> Goal:
    return Goal(figure, system, None, "≥", bound)


def _times(bound: float, figure: str, left: str, right: str, limit: str | None = None) -> Goal:
    return Goal(figure, left, right, "≥", bound, limit)


def _of_engine(engine: str, textbook: float, infinity: float, batches: tuple[float, float] | None) -> list[Goal]:
    worker, limit = f"worker-{engine}", f"limit-{engine}"
    against_peers = [
        _times(textbook, "texts_per_s_c32", worker, "textbook", limit),
        _times(infinity, "texts_per_s_c32", worker, "infinity", limit),
    ]
    if batches:
        against_peers += [
            _times(batches[0], "texts_per_s_b32", worker, "textbook", limit),
            _times(batches[1], "texts_per_s_b32", worker, "infinity", limit),
        ]
    return [
        _at_most(1.0, f"{IN_TURNS}p50_ms_c1", worker),
        _at_least(0.95, f"{IN_TURNS}texts_per_s_c32", worker),
        _at_least(0.95, f"{IN_TURNS}texts_per_s_b32", worker),
        *against_peers,
        *(_at_most(1.3, f"first_to_steady.{shape}", worker) for shape in ("text", "longest", "batch")),
    ]


GOALS: tuple[Goal, ...] = (
    _at_most(0.7, "ready_seconds", "worker-auto"),
    _times(7, "ready_seconds", "textbook", "worker-auto"),
    _times(1, "ready_seconds", "infinity", "worker-auto"),
    *(_at_most(1.3, f"first_to_steady.{shape}", "worker-auto") for shape in ("text", "longest", "batch")),
    *_of_engine("openvino", 10, 3.5, (3, 2.5)),
    *_of_engine("onnx", 7, 2, None),
    _at_most(300, "rss_mb", "worker-onnx"),
    _at_most(320, "rss_mb", "worker-openvino"),
    _at_most(1.5, "added_ms_c1", "api-miss"),
    _at_least(0.55, f"{IN_TURNS}texts_per_s_c32", "api-hit"),
    _times(
        0.55, "texts_per_s_c32", "api-hit", "bare-fastapi", "bare-redis"
    ),  # the same minutes apart, beside its own limit
)
