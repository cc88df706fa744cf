"""The goals of the bench, as comparisons of measured figures.

Each comparison is computed within a round, whose systems ran minutes apart; then the median is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from loadtest.bench.cases import Row

Round = Mapping[str, Row]  # rows by system


@dataclass(frozen=True)
class Goal:
    """`left` against `right` (ratio or difference), or `left` alone, and the bound for the result.

    `limit` is a system that does only what `left` can't leave out: where the limit misses the bound too, no such system
    could reach it on this machine, in this run.
    """

    figure: str
    left: str
    right: str | None
    kind: Literal["/", "-", ""]
    sense: Literal["≥", "≤"]
    bound: float
    limit: str | None = None

    @property
    def at_limit(self) -> "Goal | None":
        """The same comparison for the limit."""
        return replace(self, left=self.limit, limit=None) if self.limit else None

    @property
    def name(self) -> str:
        """As in "textbook/worker-auto ready_seconds" or "worker-onnx - limit-onnx p50_ms_c1"."""
        separator = f" {self.kind} " if self.kind == "-" else self.kind
        return f"{self.left}{separator}{self.right or ''} {self.figure}"

    def value(self, rows: Round) -> float | None:
        """The result in one round, None when a row of it is missing."""
        left = _figure(rows, self.left, self.figure)
        if self.right is None or left is None:
            return left
        right = _figure(rows, self.right, self.figure)
        if right is None:
            return None
        return left / right if self.kind == "/" else left - right

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
    return Goal(figure, system, None, "", "≤", bound)


def _times(bound: float, figure: str, left: str, right: str, limit: str | None = None) -> Goal:
    return Goal(figure, left, right, "/", "≥", bound, limit)


def _above(bound: float, figure: str, left: str, right: str) -> Goal:
    return Goal(figure, left, right, "-", "≤", bound)


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
        _above(1.5, "p50_ms_c1", worker, limit),
        _times(0.85, "texts_per_s_c32", worker, limit),
        _times(0.9, "texts_per_s_b32", worker, limit),
        *against_peers,
        *(_at_most(1.5, f"first_to_steady.{shape}", worker) for shape in ("text", "longest", "batch")),
    ]


GOALS: tuple[Goal, ...] = (
    _at_most(1.2, "ready_seconds", "worker-auto"),
    _times(5, "ready_seconds", "textbook", "worker-auto"),
    _times(1, "ready_seconds", "infinity", "worker-auto"),
    *(_at_most(1.5, f"first_to_steady.{shape}", "worker-auto") for shape in ("text", "longest", "batch")),
    *_of_engine("openvino", 10, 3.5, (3, 2.5)),
    *_of_engine("onnx", 7, 2, None),
    _at_most(300, "rss_mb", "worker-onnx"),
    _at_most(360, "rss_mb", "worker-openvino"),
    _above(2, "p50_ms_c1", "api-miss", "worker-auto"),
    _at_most(2, "added_ms_c1", "api-miss"),  # the same, in turns
    _times(0.5, "texts_per_s_c32", "api-hit", "bare-fastapi", "bare-redis"),
)
