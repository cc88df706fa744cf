"""The in-process limit of an engine: the worker's own tokenizer and engine, the same texts, no HTTP, no event loop.

The one file that imports a service from outside: the limit must be that of the very engine that the worker runs. A
program of its own, which `limits` starts with ENGINE set: orders on its command line, two lines of JSON as output.
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
from loadtest.bench.cases import BLOCKS, CASES, MB, Case, Row
from loadtest.bench.texts import BLOCK, batches, block, long_text, text
from servicekit.settings import load as load_settings
from worker.engines.base import Engine
from worker.loading import load
from worker.settings import WorkerSettings

PASSES = (4, 8, 16, 32, 64, 128)  # texts of a forward pass that are tried
TRIAL = 0.4  # seconds of each trial


def main() -> None:
    """Orders: {"round", "case_seconds", "client_cpu": {case: share}}."""
    orders = json.loads(sys.argv[1])
    engine = load(load_settings(WorkerSettings)).engine
    _embed(engine, ["ready"])
    _say({"ready": True})
    number = orders["round"] * BLOCKS
    row = _first(engine, (number + len(CASES)) * BLOCK)
    for offset, case in enumerate(CASES):
        with burning(orders["client_cpu"].get(case.name, 0.0)):
            texts = block(number + offset)
            row |= _one(engine, texts, orders) if case.name == "c1" else _many(engine, texts, case, orders)
    _say({**row, "rss_mb": psutil.Process().memory_info().rss / MB})


def _say(content: Row) -> None:
    print(json.dumps(content), flush=True)


def _embed(engine: Engine, texts: Sequence[str]) -> None:
    engine.embed(engine.encode(texts))


def _first(engine: Engine, start: int) -> Row:
    shapes = {"text": [text(start)], "longest": [long_text(start + 40)], "batch": [text(start + n) for n in range(32)]}
    first = {shape: _seconds(partial(_embed, engine, texts)) for shape, texts in shapes.items()}
    steady = {
        shape: median(_seconds(partial(_embed, engine, texts)) for _ in range(8)) for shape, texts in shapes.items()
    }
    return {
        "first_ms": first["text"] * 1000,
        "first_to_steady": {shape: first[shape] / steady[shape] for shape in shapes},
    }


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _one(engine: Engine, texts: Iterator[str], orders: Row) -> Row:
    _run(engine, batches(texts, 1), 1, TRIAL)
    return {"p50_ms_c1": median(_run(engine, batches(texts, 1), 1, orders["case_seconds"])) * 1000}


def _many(engine: Engine, texts: Iterator[str], case: Case, orders: Row) -> Row:
    """Whatever a server could do with the texts that all clients together have waiting: the best of several passes."""
    waiting = case.clients * case.texts
    sizes = [size for size in PASSES if size <= waiting]
    speed = {size: _speed(engine, texts, waiting, size, TRIAL) for size in sizes}
    best = max(sizes, key=lambda size: speed[size])
    return {
        f"texts_per_s_{case.name}": _speed(engine, texts, waiting, best, orders["case_seconds"]),
        f"pass_texts_{case.name}": best,
    }


def _speed(engine: Engine, texts: Iterator[str], waiting: int, size: int, seconds: float) -> float:
    times = _run(engine, batches(texts, waiting), size, seconds)
    return waiting * len(times) / sum(times)


def _run(engine: Engine, waiting: Iterator[list[str]], size: int, seconds: float) -> list[float]:
    """Seconds of each turn: tokenize all that waits, embed it in passes of `size` texts of about equal length."""
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
