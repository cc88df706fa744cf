"""Forward passes at the served shapes: without them the first request of a shape is 2 to 40 times slower."""

import logging
from time import perf_counter

from worker.engines.base import Engine, TokenIds
from worker.speed import Speed

log = logging.getLogger("worker.warmup")

SHORT = "warm"
TYPICAL = "A sentence of usual length, with some fifteen words, stands for what people send here."
BATCH = "a batch of typical texts"


def passes(engine: Engine, batch_tokens: int) -> dict[str, list[list[TokenIds]]]:
    """One text at maximum length and at each other to which the engine pads, a batch at the token budget, one short.

    Where the engine takes fewer rows at once, two passes of as many stand for the batch: its passes have that shape,
    and only the first compiles. The short one comes last: right after a large pass the first small one takes twice as
    long as the next (3.8 and 1.9 ms; 2 cores, OpenVINO), and a small one is what most likely comes first.
    """
    short, typical, long = engine.encode([SHORT, TYPICAL, f"{TYPICAL} " * engine.max_tokens])
    batch = [typical] * max(1, batch_tokens // len(typical))
    most = min(len(batch), engine.rows[-1]) if engine.rows else len(batch)
    return {
        "one text at maximum length": [[long]],
        "one text of each length": [[long[:length]] for length in engine.lengths if length < len(long)],
        BATCH: [batch[:most]] * (2 if most < len(batch) else 1),
        "one short text": [[short]],
    }


def warm_up(engine: Engine, batch_tokens: int) -> Speed:
    """Run and time the passes, on the thread that will embed.

    Returns the speed of the fastest pass of the full batch, since the first passes compile kernels.
    """
    timed: dict[str, list[tuple[int, float]]] = {}
    for name, batches in passes(engine, batch_tokens).items():
        timed[name] = [_timed(engine, batch) for batch in batches]
        tokens = sum(tokens for tokens, _ in timed[name])
        seconds = sum(seconds for _, seconds in timed[name])
        log.info("warm-up pass, %s: %d tokens in %.1f ms", name, tokens, seconds * 1000)
    return Speed(*max(timed[BATCH], key=lambda one: one[0] / one[1]))


def _timed(engine: Engine, batch: list[TokenIds]) -> tuple[int, float]:
    """Tokens and seconds of one pass."""
    began = perf_counter()
    engine.embed(batch)
    return sum(map(len, batch)), perf_counter() - began
