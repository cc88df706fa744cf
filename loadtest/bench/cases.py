"""The measured cases of one running system, as one row."""

from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import psutil

from loadtest.bench.case import BLOCKS, C1, CACHED, CASES, FIRST, TURNS, Case
from loadtest.bench.closed_loop import Load, closed_loop, send
from loadtest.bench.dialects import WORKER
from loadtest.bench.in_turns import in_turns, server
from loadtest.bench.metrics import counters
from loadtest.bench.ready import first_embedding
from loadtest.bench.shapes import first_requests
from loadtest.bench.systems import Running, System
from loadtest.bench.texts import BLOCK, batches, block

Row: TypeAlias = dict[str, Any]

MB = 1e6
LOOKUPS = "api_cache_lookups_total"


@dataclass(frozen=True)
class Durations:
    """`scale` multiplies the cases' seconds; `warm` is the seconds of load before each case, which don't count."""

    scale: float = 1.0
    warm: float = 0.75


def measure(system: System, running: Running, round_: int, durations: Durations) -> Row:
    """Measure one start of one system. Raises what the parts raise: then there is no row."""
    ready = first_embedding(running.port, system.dialect, running.check) - running.started
    first = first_requests(running.port, system.dialect, (round_ * BLOCKS + FIRST) * BLOCK)
    loads = {case.name: _load(system, running, case, round_ * BLOCKS + i, durations) for i, case in enumerate(CASES)}
    return {
        "ready_seconds": ready,
        "first_ms": first["text"].first_ms,
        "p50_ms_c1": loads["c1"].p50_ms,
        "texts_per_s_c32": loads["c32"].texts_per_s,
        "texts_per_s_b32": loads["b32"].texts_per_s,
        **memory(running.pids()),
        "first_to_steady": {shape: each.ratio for shape, each in first.items()},
        "steady_ms": {shape: each.steady_ms for shape, each in first.items()},
        "client_cpu": {name: load.cpu for name, load in loads.items()},
        "requests": {name: len(load.latencies) for name, load in loads.items()},
        "errors": {name: dict(load.errors) for name, load in loads.items() if load.errors.total()},
    }


def _load(system: System, running: Running, case: Case, number: int, durations: Durations) -> Load:
    port, dialect = running.port, system.dialect
    texts = block(number, CACHED if system.cache == "hit" else BLOCK)
    if system.cache == "hit":
        for _ in range(2):  # the api writes to its cache after the answer, and may drop writes
            send(port, dialect, islice(batches(block(number, CACHED), 32), CACHED // 32))
    before = counters(port, LOOKUPS) if system.cache else {}
    seconds = case.seconds * durations.scale
    load = closed_loop(port, dialect, batches(texts, case.texts), case.clients, seconds=seconds, warm=durations.warm)
    if system.cache:
        other = "miss" if system.cache == "hit" else "hit"
        after = counters(port, LOOKUPS)
        load.errors.update({f"cache {other}": int(after.get(other, 0) - before.get(other, 0))})
    return load


def added(system: System, running: Running, round_: int, durations: Durations) -> Row:
    """What the api adds to the latency of the worker behind it. Raises what `in_turns` raises."""
    if system.cache != "miss" or running.worker_port is None:
        return {}
    texts = block(round_ * BLOCKS + TURNS)
    api, worker = server(running.port, system.dialect, texts), server(running.worker_port, WORKER, texts)
    return {"added_ms_c1": in_turns(api, worker, C1, durations.scale)}


def memory(pids: list[int]) -> Row:
    """Resident memory of the largest process, which serves, and of all processes. Shared pages count in each."""
    sizes = [psutil.Process(pid).memory_info().rss / MB for pid in pids]
    return {"rss_mb": max(sizes), "rss_all_mb": sum(sizes)}
