"""A rolling restart of one of two processes while people come: what it costs them."""

import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from loadtest.lab.strategies import Strategy
from loadtest.lab.users import TIMEOUT
from loadtest.openloop import Background, Plan, Poisson, Row, Stream
from loadtest.percentiles import percentile
from stack import Stack, until
from stack.http import ask
from stack.operator_key import operator_headers

PROCESSES = 2
DRAIN_SECONDS = "2"
RATE = 25.0
CALM = 5.0  # seconds before and after
LIMIT = 120.0


def rolling_restart(stack: Stack, strategy: Strategy, rows: Path, calm: float = CALM) -> dict[str, Any]:
    """Requests before, during and after; latencies in milliseconds. `calm` is in seconds, at both ends.

    Raises:
        PermissionError: the processes belong to another user, as those of containers do.
    """
    two = {"WEB_CONCURRENCY": str(PROCESSES), "DRAIN_SECONDS": DRAIN_SECONDS}
    stack.start("worker", environment={**strategy.environment, **two})
    try:
        leaving = psutil.Process(stack.pids("worker")[0]).children()[0]
        with Background(_plan(stack.url("worker")), rows) as load:
            time.sleep(calm)
            began = time.monotonic()
            os.kill(leaving.pid, signal.SIGTERM)
            until(lambda: not leaving.is_running(), LIMIT, "the process's end")
            until(lambda: _ready(stack) == PROCESSES, LIMIT, "its successor's readiness")
            ended = time.monotonic()
            time.sleep(calm)
    finally:
        stack.stop("worker")
    run = load.run
    before = [row for row in run.rows if row.scheduled < began]
    during = [row for row in run.rows if began <= row.scheduled < ended]
    after = [row for row in run.rows if row.scheduled >= ended]
    return {
        "strategy": strategy.name,
        "replaced_after_seconds": round(ended - began, 2),
        "requests": len(run.rows),
        "failed": dict(Counter(row.error or str(row.status) for row in run.rows if not row.ok)),
        "p50_and_p99_before_ms": _quote(before),
        "p50_and_p99_during_ms": _quote(during),
        "p50_and_p99_after_ms": _quote(after),
        "answered_by_the_old_process_during": sum(row.process == leaving.pid for row in during),
        "generator": run.verdict.reason or "kept its schedule",
    }


def _plan(url: str) -> Plan:
    streams = (
        Stream("worker_typical", url),
        Stream("worker_typical", url, connections="fresh", name="fresh connection"),
    )
    return Plan(Poisson(RATE), streams, timeout=TIMEOUT)


def _ready(stack: Stack) -> int:
    processes = ask(f"{stack.own_url('worker')}/startupz", more=operator_headers()).json()["processes"]
    return sum(process["phase"] == "ready" for process in processes)


def _quote(rows: Sequence[Row]) -> list[float]:
    times = [row.latency * 1000 for row in rows if row.ok]
    return [round(percentile(times, share), 1) for share in (50, 99)] if times else []
