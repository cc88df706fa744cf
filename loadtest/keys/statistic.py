"""Whether two sets of times can be told apart: the Mann-Whitney test, which asks nothing of their distribution."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z95 = 1.96
RISK = 0.01


@dataclass(frozen=True)
class Comparison:
    """`auc`: how often a time of the second set is longer than one of the first, ties counted half; 0.5 tells nothing.

    `bound`: how far it strays from 0.5 in 95 of 100 measurements of two sets that don't differ. `p`: how often it
    strays at least as far as here then.
    """

    medians: tuple[float, float]
    auc: float
    bound: float
    p: float

    def told_apart(self, among: int = 1) -> bool:
        """Whether the times betray something: a risk of 1 % that any of `among` comparisons is called so wrongly."""
        return self.p < RISK / among

    def __str__(self) -> str:
        first, second = self.medians
        return (
            f"medians {first:,.0f} and {second:,.0f} ns, AUC {self.auc:.4f} (0.5 ± {self.bound:.4f}), p = {self.p:.4f}"
        )


def compare(first: NDArray[np.int64], second: NDArray[np.int64]) -> Comparison:
    """Compare times, of any unit; the medians are in the same."""
    n, m = len(first), len(second)
    values, places, counts = np.unique(np.concatenate([first, second]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    auc = (ranks[n:].sum() - m * (m + 1) / 2) / (n * m)
    total = n + m
    ties = float((counts.astype(float) ** 3 - counts).sum()) / (total * (total - 1))
    deviation = math.sqrt((total + 1 - ties) / (12 * n * m)) if len(values) > 1 else 0.0
    p = math.erfc(abs(auc - 0.5) / deviation / math.sqrt(2)) if deviation else 1.0
    return Comparison((float(np.median(first)), float(np.median(second))), float(auc), Z95 * deviation, p)
