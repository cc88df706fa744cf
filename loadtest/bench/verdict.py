"""Measured figures against the bounds that they must keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Bound:
    """A figure, and what it must be."""

    name: str
    value: float
    sense: Literal["≥", "≤", "="]
    limit: float

    @property
    def kept(self) -> bool:
        """Whether it is."""
        return {
            "≥": self.value >= self.limit,
            "≤": self.value <= self.limit,
            "=": self.value == self.limit,
        }[self.sense]

    def __str__(self) -> str:
        mark = "kept" if self.kept else "MISSED"
        return f"{self.name:<58}{self.value:>12,.4g}   {self.sense} {self.limit:<10,.4g} {mark}"


def conclude(bounds: Sequence[Bound]) -> int:
    """Print each; the exit code: 1 when one is missed."""
    print("\n".join(map(str, bounds)))
    return 0 if all(bound.kept for bound in bounds) else 1
