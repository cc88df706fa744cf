"""What the stress commands share: a fresh worker, its capacity, and a place for the rows."""

import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from loadtest.bench.closed_loop import closed_loop
from loadtest.bench.dialects import WORKER
from loadtest.bench.metrics import counter
from loadtest.bench.ready import first_embedding
from loadtest.bench.systems import Running, System, worker
from loadtest.bench.texts import batches, block
from stack.site import REPOSITORY

REPORTS = REPOSITORY / "reports" / "bench"
TOKENS = "worker_tokens_total"
CAPACITY_SECONDS = 5.0


@dataclass(frozen=True)
class Capacity:
    """The speed of a worker when four clients send batches of 32 one after the other."""

    texts_per_s: float
    tokens_per_s: float


def chosen_engine() -> str:
    """ENGINE of the environment, or auto."""
    return os.environ.get("ENGINE") or "auto"


@contextmanager
def fresh(system: System | None = None) -> Iterator[Running]:
    """A system that has just answered its first embedding; by default the worker with the chosen engine."""
    system = system or worker(chosen_engine())
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, system.launch(Path(folder)) as running:
        seconds = first_embedding(running.port, system.dialect, running.check) - running.started
        print(f"{system.name} answers after {seconds:.2f} s", flush=True)
        yield running


def capacity(port: int) -> Capacity:
    """Measure the capacity in a few seconds."""
    before = counter(port, TOKENS)
    load = closed_loop(port, WORKER, batches(block(0), 32), 4, seconds=CAPACITY_SECONDS, warm=1.0)
    tokens = counter(port, TOKENS) - before  # includes one more batch of each client than the window
    found = Capacity(load.texts_per_s, tokens / (CAPACITY_SECONDS + 1.0))
    print(f"capacity: {found.texts_per_s:.0f} texts/s, {found.tokens_per_s:,.0f} tokens/s", flush=True)
    return found


def mean_of(*measured: Capacity) -> Capacity:
    """Each figure's mean."""
    return Capacity(mean(each.texts_per_s for each in measured), mean(each.tokens_per_s for each in measured))


def keep(name: str, rows: Iterable[dict[str, Any]]) -> None:
    """Write the rows to reports/bench/NAME.jsonl."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    file = REPORTS / f"{name}.jsonl"
    file.write_text("".join(map(line, rows)))
    print(f"rows: {file.relative_to(REPOSITORY)}")


def line(row: Mapping[str, Any]) -> str:
    """One of JSON, which has no infinity: the latency of a request that never ended is null."""
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }
    return json.dumps(finite, allow_nan=False) + "\n"
