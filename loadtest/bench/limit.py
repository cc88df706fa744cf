"""The in-process limit of an engine: the worker's own tokenizer and engine, the same texts, no HTTP, no event loop.

This program imports a service, as only `bare` does besides: it must measure the very engine that is served. `limits`
starts it with ENGINE set; it reads orders from its command line, and writes one line of JSON.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from statistics import median

import psutil

from loadtest.bench.burn import burning
from loadtest.bench.cases import BLOCKS, CASES, FIRST, MB, Case, Row
from loadtest.bench.shapes import SHAPES, STEADY, by_shape, texts_of
from loadtest.bench.texts import BLOCK, batches, block
from warmstart.settings.service import load as load_settings
from worker.engines.base import Engine
from worker.loading import load
from worker.settings import WorkerSettings

PASSES = (1, 2, 4, 8, 16, 32, 64, 128)  # texts of a forward pass to try
TRIAL = 0.4  # seconds of each trial


def main() -> None:
    """Measure the limit. Orders: {"round", "scale", "client_cpu": {case: share}}."""
    orders = json.loads(sys.argv[1])
    engine = load(load_settings(WorkerSettings)).engine
    _embed(engine, ["ready"])
    ready = time.perf_counter()  # a clock that all processes of a machine share, as in `limits`
    number = orders["round"] * BLOCKS
    row = _first(engine, (number + FIRST) * BLOCK)
    for offset, case in enumerate(CASES):
        with burning(orders["client_cpu"].get(case.name, 0.0)):
            texts = block(number + offset)
            seconds = case.seconds * orders["scale"]
            row |= (
                _one(engine, texts, seconds) if case.texts == case.clients == 1 else _many(engine, texts, case, seconds)
            )
    print(json.dumps({"ready_at": ready, **row, "rss_mb": psutil.Process().memory_info().rss / MB}))


def _embed(engine: Engine, texts: Sequence[str]) -> None:
    engine.embed(engine.encode(texts))


def _first(engine: Engine, start: int) -> Row:
    times = [
        {shape: _seconds(partial(_embed, engine, texts_of(shape, start, turn))) for shape in SHAPES}
        for turn in range(STEADY + 1)
    ]
    first = by_shape(times)
    return {
        "first_ms": first["text"].first_ms,
        "first_to_steady": {shape: each.ratio for shape, each in first.items()},
    }


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _one(engine: Engine, texts: Iterator[str], seconds: float) -> Row:
    _run(engine, batches(texts, 1), 1, TRIAL)
    return {"p50_ms_c1": median(_run(engine, batches(texts, 1), 1, seconds)) * 1000}


def _many(engine: Engine, texts: Iterator[str], case: Case, seconds: float) -> Row:
    """The speed with all the texts at hand that the clients together could have waiting: the best of several passes."""
    waiting = case.clients * case.texts
    sizes = [size for size in PASSES if size <= waiting]
    speed = {size: _speed(engine, texts, waiting, size, TRIAL) for size in sizes}
    best = max(sizes, key=lambda size: speed[size])
    return {
        f"texts_per_s_{case.name}": _speed(engine, texts, waiting, best, seconds),
        f"pass_texts_{case.name}": best,
    }


def _speed(engine: Engine, texts: Iterator[str], waiting: int, size: int, seconds: float) -> float:
    times = _run(engine, batches(texts, waiting), size, seconds)
    return waiting * len(times) / sum(times)


def _run(engine: Engine, waiting: Iterator[list[str]], size: int, seconds: float) -> list[float]:
    """Seconds of each turn: tokenize all texts, and embed them in passes of `size` texts of about equal length."""
    times: list[float] = []
    while sum(times) < seconds:
        texts = next(waiting)
        times.append(_seconds(partial(_turn, engine, texts, size)))
    return times


def _turn(engine: Engine, texts: list[str], size: int) -> None:
    inputs = iter(sorted(engine.encode(texts), key=len))
    while batch := list(islice(inputs, size)):
        engine.embed(batch)


if __name__ == "__main__":
    main()
