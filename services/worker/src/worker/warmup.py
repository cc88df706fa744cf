"""Forward passes at the shapes served: without them the first request of a shape is 2 to 40 times slower."""

import logging
from time import perf_counter

from worker.engines.base import Engine, TokenIds
from worker.speed import Speed

log = logging.getLogger("worker.warmup")

SHORT = "warm"
TYPICAL = "A sentence of usual length, with some fifteen words, stands for what people send here."


def passes(engine: Engine, batch_tokens: int) -> dict[str, list[list[TokenIds]]]:
    """One short text, one at maximum length and at each that the engine pads to, and a batch at the token budget."""
    short, typical, long = engine.encode([SHORT, TYPICAL, f"{TYPICAL} " * engine.max_tokens])
    batch = [typical] * max(1, batch_tokens // len(typical))
    most = engine.rows[-1] if engine.rows else len(batch)
    return {
        "one short text": [[short]],
        "one text at maximum length": [[long]],
        "one text of each length": [[long[:length]] for length in engine.lengths],
        "a batch of typical texts": [batch[start : start + most] for start in range(0, len(batch), most)],
    }


def warm_up(engine: Engine, batch_tokens: int) -> Speed:
    """Run and time the passes, on the thread that will embed. Returns the speed of the last, a full batch."""
    tokens, seconds = 0, 0.0
    for name, batches in passes(engine, batch_tokens).items():
        began = perf_counter()
        for batch in batches:
            engine.embed(batch)
        tokens, seconds = sum(len(ids) for batch in batches for ids in batch), perf_counter() - began
        log.info("warm-up pass, %s: %d tokens in %.1f ms", name, tokens, seconds * 1000)
    return Speed(tokens, seconds)
