"""The speed of a model's int8 artifact beside its usual one: both engines in one process, in turns, without HTTP.

Like `limit` it imports a service: it must measure the very engines that are served.

    .venv/bin/python -m loadtest.bench.precisions                  # all-MiniLM-L6-v2-int8 beside all-MiniLM-L6-v2
    .venv/bin/python -m loadtest.bench.precisions --model BAAI/bge-small-en-v1.5 --turns 100
"""

import argparse
import time
from collections.abc import Sequence
from statistics import median

from loadtest.bench.texts import long_text, text
from warmstart.settings.service import load as load_settings
from worker.engines.base import Engine
from worker.loading import load
from worker.model_files import INT8
from worker.settings import WorkerSettings

SHAPES = {
    "one text": [text(1)],
    "16 texts": [text(number) for number in range(16)],
    "32 texts": [text(number) for number in range(32)],
    "one text at maximum length": [long_text(0)],
}


def main() -> None:
    """Print a table: the median milliseconds of each shape, tokenizing included, and the median ratio of the pairs."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench.precisions", description=__doc__)
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--turns", type=int, default=50)
    options = parser.parse_args()
    engines = [_engine(options.model), _engine(options.model + INT8)]
    usual, int8 = (f"{each.name} {each.precision}" for each in engines)
    print(f"{'':27} {usual:>14} {int8:>14}  ratio")
    for shape, texts in SHAPES.items():
        pairs = [[_milliseconds(engine, texts) for engine in engines] for _ in range(options.turns + 1)][1:]
        first, second = (median(times) for times in zip(*pairs, strict=True))
        ratio = median(pair[0] / pair[1] for pair in pairs)
        print(f"{shape:27} {first:11.2f} ms {second:11.2f} ms  {ratio:5.2f}")


def _engine(model: str) -> Engine:
    return load(load_settings(WorkerSettings).model_copy(update={"embedding_model": model})).engine


def _milliseconds(engine: Engine, texts: Sequence[str]) -> float:
    began = time.perf_counter()
    engine.embed(engine.encode(texts))
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
