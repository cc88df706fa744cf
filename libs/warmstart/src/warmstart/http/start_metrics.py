"""How long each start took, and whether the event loop turns: measured by a background task of each process."""

import asyncio
import os
import time
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from warmstart.http import request_metrics
from warmstart.lifecycle.lifespan import Lifecycle
from warmstart.lifecycle.phase import Phase

# Of several processes the slowest; a process that has gone doesn't count.
STARTUP = Gauge(
    "warmstart_startup_seconds",
    "Seconds that a process took from its fork to readiness, by phase",
    ["phase"],
    multiprocess_mode="livemax",
)
RESOURCE_STARTUP = Gauge(
    "warmstart_resource_startup_seconds",
    "Seconds that a resource took to open: waiting for those it comes after, and opening with all attempts",
    ["resource", "phase"],
    multiprocess_mode="livemax",
)
LAST_START = Gauge(
    "warmstart_last_start_timestamp_seconds",
    "When the youngest living process became ready, as Unix time",
    multiprocess_mode="livemax",
)
STARTS = Counter("warmstart_starts_total", "Processes that became ready")
LAG = Histogram(
    "warmstart_event_loop_lag_seconds",
    "Seconds by which the event loop was late, measured once a second",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
PAUSE = 1.0  # seconds


def watch(lifecycle: Lifecycle) -> None:
    """Measure from readiness on."""
    _ = lifecycle.spawn("metrics of the start", _measure)


async def _measure(lifecycle: Lifecycle) -> None:
    note_start(lifecycle)
    while True:
        due = time.monotonic() + PAUSE
        await asyncio.sleep(PAUSE)
        LAG.observe(max(0.0, time.monotonic() - due))
        request_metrics.publish()


def note_start(lifecycle: Lifecycle) -> None:
    """Note the start of a process that has just become ready."""
    warming = lifecycle.elapsed_seconds
    STARTUP.labels(Phase.WARMING).set(warming)
    if (age := _age()) is not None:
        STARTUP.labels(Phase.STARTING).set(max(0.0, age - warming))
    for name, each in lifecycle.supervisors.items():
        if each.is_open:
            RESOURCE_STARTUP.labels(name, "waiting").set(each.waited_seconds)
            RESOURCE_STARTUP.labels(name, "opening").set(each.elapsed_seconds - each.waited_seconds)
    LAST_START.set_to_current_time()
    STARTS.inc()  # last: who sees it counted sees its figures


def _age() -> float | None:
    """Seconds since this process was forked; None where /proc is missing."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    began = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # field 22 of proc(5), in ticks since boot
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began
