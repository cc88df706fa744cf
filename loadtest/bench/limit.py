"""The in-process limit of an engine: the worker's own tokenizer and engine, the same texts, no HTTP, no event loop.

This program imports a service, as only `bare` does besides: it must measure the very engine that is served. `limits`
starts it with ENGINE set. It says when the engine has embedded a text, and then answers orders; all are lines of JSON.
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
from loadtest.bench.case import CASES, Case
from loadtest.bench.cases import MB, Row
from loadtest.bench.shapes import SHAPES, STEADY, by_shape, texts_of
from loadtest.bench.texts import batches, block
from warmstart.settings.service import load as load_settings
from worker.engines.base import Engine
from worker.loading import load
from worker.settings import WorkerSettings

PASSES = (1, 2, 4, 8, 16, 32, 64, 128)  # texts of a forward pass to try
TRIAL = 0.4  # seconds of each trial, at most
WARM_SECONDS = 0.15


def main() -> None:
    """Answer each order until there are no more.

    The orders are {"first": number of a text}, and {"case", "block", "seconds", "client_cpu"}.
    """
    engine = load(load_settings(WorkerSettings)).engine
    _embed(engine, ["ready"])
    _say({"ready_at": time.perf_counter()})  # a clock that all processes of a machine share, as in `limits`
    cases = {case.name: _Measured(engine, case) for case in CASES}
    for line in sys.stdin:
        order = json.loads(line)
        if "first" in order:
            _say(_first(engine, order["first"]))
        else:
            with burning(order["client_cpu"]):
                _say(cases[order["case"]].figure(order["block"], order["seconds"]))


def _say(answer: Row) -> None:
    print(json.dumps({**answer, "rss_mb": psutil.Process().memory_info().rss / MB}), flush=True)


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


class _Measured:
    """One case. Its figure is the best of several passes, which are tried before it is measured for the first time."""

    def __init__(self, engine: Engine, case: Case) -> None:
        self._engine = engine
        self._case = case
        self._texts: dict[int, Iterator[str]] = {}
        self._best = 1 if case.is_latency else 0

    def figure(self, number: int, seconds: float) -> Row:
        """As the case has it, with all the texts at hand that its clients together could have waiting."""
        waiting = self._case.clients * self._case.texts
        texts = self._texts.setdefault(number, block(number))
        if not self._best:
            sizes = [size for size in PASSES if size <= waiting]
            trial = min(TRIAL, seconds)
            speed = {size: _speed(self._engine, texts, waiting, size, trial) for size in sizes}
            self._best = max(sizes, key=lambda size: speed[size])
        run = partial(_run, self._engine, batches(texts, waiting), self._best)
        run(WARM_SECONDS)
        times = run(seconds)
        figure = median(times) * 1000 if self._case.is_latency else waiting * len(times) / sum(times)
        return {"figure": figure, "pass_texts": self._best}


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
