"""Compares measured figures with their bounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Bound:
    """A figure and its bound."""

    name: str
    value: float
    sense: Literal["≥", "≤", "="]
    limit: float

    @property
    def kept(self) -> bool:
        """Whether the figure is within its bound."""
        return {
            "≥": self.value >= self.limit,
            "≤": self.value <= self.limit,
            "=": self.value == self.limit,
        }[self.sense]

    def __str__(self) -> str:
        mark = "kept" if self.kept else "MISSED"
        return f"{self.name:<58}{self.value:>12,.4g}   {self.sense} {self.limit:<10,.4g} {mark}"


def conclude(bounds: Sequence[Bound]) -> int:
    """Print each bound; returns the exit code, 1 when one is missed."""
    print("\n".join(map(str, bounds)))
    return 0 if all(bound.kept for bound in bounds) else 1
