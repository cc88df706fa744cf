"""Forward passes at the served shapes: without them the first request of a shape is 2 to 40 times slower.

An engine that compiles for each length has few of them before readiness, and the others soon after.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from contract.limits import INPUTS
from warmstart import Fatal
from worker.artifact.manifest import BARS
from worker.engines.base import Engine, TokenIds, Vectors
from worker.speed import Speed

log = logging.getLogger("worker.warmup")

Known: TypeAlias = dict[tuple[int, ...], NDArray[np.float16]]  # the right vector of each input; none: not compared

SHORT = "warm"
TYPICAL = "A sentence of usual length, with some fifteen words, stands for what people send here."
BATCH, EACH = "a batch of typical texts", "one text of each length"
# A longer text, as some models take, is computed alone, and its time grows with the square of its length: to try all
# lengths up to 8,192 tokens would take minutes. Such a text compiles its kernels when it comes.
LONGEST = 2048  # tokens
QUICK = 256  # tokens: no pass for a longer text is added between those of requests, which would wait for it
# The lowest cosine of int8 with what it gave at the export, where the same graph computed it. On a CPU without VNNI the
# sums of its products overflow 16 bits: 0.9957, and recall@10 is 0.94 (all-MiniLM-L6-v2). With VNNI it is 0.9995 or
# more, also where the rest of the graph is at fp32 instead of bf16.
INT8 = 0.999
ROWS = 8  # nearly as fast, for each token, as the passes of 16 or 32 that a full batch is divided into


@dataclass(frozen=True)
class Warm:
    """What is known of an engine that can serve: its speed, and the passes for which nobody has waited yet.

    Each of them adds a length, is to be called on the thread that embeds, and may raise anything.
    """

    speed: Speed
    later: Sequence[Callable[[], None]] = ()


def passes(engine: Engine, batch_tokens: int) -> dict[str, list[list[TokenIds]]]:
    """One text at maximum length and at each other to which the engine pads, a batch at the token budget, one short.

    No text is longer than `LONGEST`.
    Where the engine compiles for each number of rows, two passes of `ROWS` stand for the batch: they show its speed,
    and only the first compiles. The short one comes last: right after a large pass the first small one takes twice as
    long as the next (3.8 and 1.9 ms; 2 cores, OpenVINO), and a small one is what most likely comes first.
    """
    short, typical, long = engine.encode([SHORT, TYPICAL, f"{TYPICAL} " * min(engine.max_tokens, LONGEST)])
    long = long[:LONGEST]
    batch = [typical] * max(1, min(batch_tokens // len(typical), INPUTS))  # no served pass has more rows
    most = min(len(batch), ROWS) if engine.rows else len(batch)
    return {
        "one text at maximum length": [[long]],
        EACH: [[long[:length]] for length in engine.lengths if length < len(long)],
        BATCH: [batch[:most]] * (2 if engine.rows else 1),
        "one short text": [[short]],
    }


def _inputs(planned: dict[str, list[list[TokenIds]]]) -> list[tuple[int, ...]]:
    """Each input of the passes once, in their order; they are the same whatever the batch's size."""
    return list(dict.fromkeys(tuple(ids) for batches in planned.values() for batch in batches for ids in batch))


def known_vectors(engine: Engine) -> NDArray[np.float16]:
    """The vectors of the warm-up's inputs, of an engine that was just compared with its reference: unit rows."""
    planned = _inputs(passes(engine, batch_tokens=1))
    return np.concatenate([engine.embed([list(ids)]) for ids in planned]).astype(np.float16)


def warm_up(engine: Engine, batch_tokens: int, known: NDArray[np.float16] | None = None) -> Warm:
    """Run and time the passes, on the thread that will embed; the engine pads to few lengths from then on.

    The speed is that of the fastest pass of the full batch: the first of them compile kernels. Raises Fatal when
    vectors are not the `known` ones: a CPU, or a kernel that a library has for it only, computes something else than
    where the engine was exported.
    """
    planned = passes(engine, batch_tokens)
    right = _by_input(_inputs(planned), known)
    every, engine.lengths = planned[EACH], few(engine.lengths)
    planned[EACH] = [batch for batch in every if len(batch[0]) in engine.lengths]
    timed: dict[str, list[tuple[int, float]]] = {}
    for name, batches in planned.items():
        timed[name] = []
        for batch in batches:
            rows, seconds = _timed(engine, batch)
            timed[name].append((sum(map(len, batch)), seconds))
            _compare(engine, name, rows, batch, right)
        tokens = sum(tokens for tokens, _ in timed[name])
        seconds = sum(seconds for _, seconds in timed[name])
        log.info("warm-up pass, %s: %d tokens in %.1f ms", name, tokens, seconds * 1000)
    later = [partial(_add, engine, batch, right) for batch in every if batch not in planned[EACH]]
    return Warm(Speed(*max(timed[BATCH], key=lambda one: one[0] / one[1])), later)


def few(lengths: Sequence[int]) -> list[int]:
    """The lengths for the first requests: every third, the longest, and all above `QUICK`.

    Of the 14 up to 256 they are 24, 48, 96, 192 and 256: from 12 tokens on, no text is padded to more than double.
    """
    return [each for each in lengths if each in (*lengths[2::3], lengths[-1]) or each > QUICK]


def _add(engine: Engine, batch: list[TokenIds], right: Known) -> None:
    """Have the engine pad to one more length, once it has compiled for it and its vector is right.

    Raises what the engine raises, or Fatal. Then the length is left out: its texts are padded to the next one.
    """
    before = engine.lengths
    engine.lengths = sorted([*before, len(batch[0])])
    try:
        rows, seconds = _timed(engine, batch)
        _compare(engine, EACH, rows, batch, right)
    except BaseException:
        engine.lengths = before
        raise
    log.debug("warm-up pass, %d tokens in %.1f ms", len(batch[0]), seconds * 1000)


def _by_input(inputs: list[tuple[int, ...]], known: NDArray[np.float16] | None) -> Known:
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


def _compare(engine: Engine, name: str, rows: Vectors, batch: list[TokenIds], right: Known) -> None:
    if not np.isfinite(rows).all():
        raise Fatal(f"{engine.name} {engine.precision} gives no finite vector ({name})")
    if not right:
        return
    known = np.stack([right[tuple(ids)] for ids in batch]).astype(np.float32)
    lowest = _lowest(engine)
    cosine = float((rows * known).sum(axis=1).min())
    if not cosine >= lowest:  # also of a row that has no number
        raise Fatal(
            f"{engine.name} {engine.precision} computes other vectors on this machine than where it was exported: "
            f"cosine {cosine:.4f}, at least {lowest:.4f} was expected ({name}){_advice(engine)}"
        )


def _lowest(engine: Engine) -> float:
    """The lowest cosine that is right.

    The export's machine and this one may be as far from the reference as is allowed, on opposite sides of it: twice the
    angle whose cosine is the bar. int8 has no such bar: each text may lose much, but the same on both.
    """
    return INT8 if engine.precision == "int8" else 2 * BARS[engine.precision] ** 2 - 1


def _advice(engine: Engine) -> str:
    if engine.precision != "int8":
        return ""
    return ". int8 needs a CPU like the export's, with VNNI: elsewhere serve the model itself (its name without -int8)"
