"""How near the vectors of one engine are to those of another: cosines, the nearest neighbours, the order of pairs."""

from collections.abc import Callable, Sequence

import numpy as np

from warmstart import Fatal
from worker.artifact.verification import BATCH
from worker.engines.base import Engine, Vectors

NEAREST = 10
BLOCK = 1024  # rows whose similarities are in memory at a time


def embedded(engine: Engine, texts: Sequence[str], done: Callable[[int], object] = lambda _: None) -> Vectors:
    """Unit rows (texts, dimensions), in their order; texts of about equal length share a pass.

    `done` is told after each pass how many texts have their vectors. Raises Fatal for a vector that has no direction.
    """
    inputs = engine.encode(texts)
    order = sorted(range(len(inputs)), key=lambda place: len(inputs[place]))
    rows = np.empty((len(inputs), engine.dimensions), np.float32)
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        rows[places] = engine.embed([inputs[place] for place in places])
        done(start + len(places))
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise Fatal(f"{engine.name} {engine.precision} gives no finite vector for some texts")
    unit: Vectors = rows / lengths
    return unit


def recall(found: Vectors, right: Vectors) -> float:
    """Of each text's ten nearest others by `right`, the share that `found` has among its ten; the mean over all."""
    count = min(NEAREST, len(right) - 1)
    shared = 0
    for start in range(0, len(right), BLOCK):
        pairs = zip(_nearest(found, start, count), _nearest(right, start, count), strict=True)
        shared += sum(len(set(one) & set(other)) for one, other in pairs)
    return shared / (count * len(right))


def _nearest(rows: Vectors, start: int, count: int) -> list[list[int]]:
    similar = rows[start : start + BLOCK] @ rows.T
    similar[np.arange(len(similar)), start + np.arange(len(similar))] = -np.inf
    nearest: list[list[int]] = np.argpartition(-similar, count - 1, axis=1)[:, :count].tolist()
    return nearest


def spearman(first: Vectors, second: Vectors, scores: Sequence[float]) -> float:
    """The rank correlation of the pairs' cosines with the scores that people gave them."""
    from scipy.stats import spearmanr  # noqa: PLC0415 - comes with nncf

    return float(spearmanr((first * second).sum(axis=1), scores).statistic)
