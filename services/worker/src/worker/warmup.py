"""Forward passes at the served shapes: without them the first request of a shape is 2 to 40 times slower."""

import logging
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from warmstart import Fatal
from worker.artifact.manifest import BARS
from worker.engines.base import Engine, TokenIds, Vectors
from worker.speed import Speed

log = logging.getLogger("worker.warmup")

SHORT = "warm"
TYPICAL = "A sentence of usual length, with some fifteen words, stands for what people send here."
BATCH = "a batch of typical texts"
# A longer text, as some models take, is computed alone, and its time grows with the square of its length: to try all
# lengths up to 8,192 tokens would take minutes. Such a text compiles its kernels when it comes.
LONGEST = 2048  # tokens


def passes(engine: Engine, batch_tokens: int) -> dict[str, list[list[TokenIds]]]:
    """One text at maximum length and at each other to which the engine pads, a batch at the token budget, one short.

    No text is longer than `LONGEST`.
    Where the engine takes fewer rows at once, two passes of as many stand for the batch: its passes have that shape,
    and only the first compiles. The short one comes last: right after a large pass the first small one takes twice as
    long as the next (3.8 and 1.9 ms; 2 cores, OpenVINO), and a small one is what most likely comes first.
    """
    short, typical, long = engine.encode([SHORT, TYPICAL, f"{TYPICAL} " * min(engine.max_tokens, LONGEST)])
    long = long[:LONGEST]
    batch = [typical] * max(1, batch_tokens // len(typical))
    most = min(len(batch), engine.rows[-1]) if engine.rows else len(batch)
    return {
        "one text at maximum length": [[long]],
        "one text of each length": [[long[:length]] for length in engine.lengths if length < len(long)],
        BATCH: [batch[:most]] * (2 if most < len(batch) else 1),
        "one short text": [[short]],
    }


def _inputs(planned: dict[str, list[list[TokenIds]]]) -> list[tuple[int, ...]]:
    """Each input of the passes once, in their order; they are the same whatever the batch's size."""
    return list(dict.fromkeys(tuple(ids) for batches in planned.values() for batch in batches for ids in batch))


def known_vectors(engine: Engine) -> NDArray[np.float16]:
    """The vectors of the warm-up's inputs, of an engine that was just compared with its reference: unit rows."""
    planned = _inputs(passes(engine, batch_tokens=1))
    return np.concatenate([engine.embed([list(ids)]) for ids in planned]).astype(np.float16)


def warm_up(engine: Engine, batch_tokens: int, known: NDArray[np.float16] | None = None) -> Speed:
    """Run and time the passes, on the thread that will embed. Returns the speed of the fastest of the full batch.

    The first of them compile kernels. Raises Fatal when their vectors are not the `known` ones: a CPU, or a kernel that
    a library has for it only, computes something else than where the engine was exported.
    """
    planned = passes(engine, batch_tokens)
    right = _by_input(_inputs(planned), known)
    timed: dict[str, list[tuple[int, float]]] = {}
    for name, batches in planned.items():
        timed[name] = []
        for batch in batches:
            rows, seconds = _timed(engine, batch)
            timed[name].append((sum(map(len, batch)), seconds))
            if right:
                _compare(engine, name, rows, np.stack([right[tuple(ids)] for ids in batch]))
        tokens = sum(tokens for tokens, _ in timed[name])
        seconds = sum(seconds for _, seconds in timed[name])
        log.info("warm-up pass, %s: %d tokens in %.1f ms", name, tokens, seconds * 1000)
    return Speed(*max(timed[BATCH], key=lambda one: one[0] / one[1]))


def _by_input(
    inputs: list[tuple[int, ...]], known: NDArray[np.float16] | None
) -> dict[tuple[int, ...], NDArray[np.float16]]:
    if known is None:
        return {}
    if len(inputs) != len(known):
        log.warning("the artifact is of a version with another warm-up: its vectors are not compared")
        return {}
    return dict(zip(inputs, known, strict=True))


def _timed(engine: Engine, batch: list[TokenIds]) -> tuple[Vectors, float]:
    """The rows and the seconds of one pass."""
    began = perf_counter()
    return engine.embed(batch), perf_counter() - began


def _compare(engine: Engine, name: str, rows: Vectors, known: NDArray[np.float16]) -> None:
    # The export's machine and this one may be as far from the reference as is allowed, on opposite sides of it: twice
    # the angle whose cosine is the bar.
    lowest = 2 * BARS[engine.precision] ** 2 - 1
    cosine = float((rows * known.astype(np.float32)).sum(axis=1).min())
    if not cosine >= lowest:  # also of a row that has no number
        raise Fatal(
            f"{engine.name} {engine.precision} computes other vectors on this machine than where it was exported: "
            f"cosine {cosine:.4f}, at least {lowest:.4f} was expected ({name})"
        )
