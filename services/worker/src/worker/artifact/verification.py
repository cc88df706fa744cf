"""Compares an exported graph with the model that it was exported from."""

from collections.abc import Sequence
from importlib.resources import files

import numpy as np

from worker.artifact.manifest import BARS
from worker.engines.base import Engine, TokenIds, Vectors

BATCH = 16  # texts in a pass: padding is part of what is compared


class RefusedError(Exception):
    """The graph's vectors are not the reference's."""


def reference_texts() -> list[str]:
    """The fixed set: short texts, code, many languages, odd characters, and from them long ones."""
    lines = files("worker.artifact").joinpath("texts.txt").read_text(encoding="utf-8").split("\n")
    short = [line.replace("\\t", "\t").replace("\\n", "\n") for line in lines if line]
    pairs = [f"{first} {second}" for first, second in zip(short, short[7:], strict=False)]
    long = [" ".join(short[start : start + 40]) for start in range(0, len(short), 12)]
    return [*short, *pairs, *long]


def lowest_cosine(engine: Engine, inputs: Sequence[TokenIds], expected: Vectors) -> tuple[float, int]:
    """The lowest cosine similarity over all inputs, and the index of that input."""
    rows = [engine.embed(inputs[start : start + BATCH]) for start in range(0, len(inputs), BATCH)]
    found = np.concatenate(rows)
    cosines = (found * expected).sum(axis=1) / (np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1))
    # A row with NaN counts as the worst.
    cosines = np.where(np.isfinite(cosines), cosines, -1.0)
    worst = int(cosines.argmin())
    return float(cosines[worst]), worst


def check(engine: Engine, inputs: Sequence[TokenIds], expected: Vectors) -> float:
    """The lowest cosine similarity. Raises RefusedError when it is below the bar of the engine's precision."""
    cosine, worst = lowest_cosine(engine, inputs, expected)
    bar = BARS[engine.precision]
    if cosine < bar:
        raise RefusedError(
            f"{engine.name} {engine.precision}: cosine {cosine:.6f} with the reference is below {bar} for text {worst}"
        )
    return cosine
