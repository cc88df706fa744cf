"""Runs `limit`, the in-process limit of an engine, as one of the systems."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from loadtest.bench.cases import Durations, Row
from loadtest.bench.server import TAIL, ServerEnded
from stack.environment import above
from stack.site import REPOSITORY

LIMIT_SECONDS = 300.0


def measure_limit(engine: str, folder: Path, round_: int, durations: Durations, client_cpu: Mapping[str, float]) -> Row:
    """Measure one row.

    `client_cpu` is, by case, the share of a CPU that another process uses meanwhile. Raises ServerEnded with the
    program's output.
    """
    orders = {"round": round_, "scale": durations.scale, "client_cpu": dict(client_cpu)}
    began = time.perf_counter()
    with (folder / "log").open("w+") as log:
        done = subprocess.run(
            [sys.executable, "-m", "loadtest.bench.limit", json.dumps(orders)],
            cwd=REPOSITORY,
            env=above({"HF_HUB_OFFLINE": "1", "ENGINE": engine}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        log.seek(0)
        if done.returncode:
            raise ServerEnded(f"exit code {done.returncode}: {log.read().strip()[-TAIL:]}")
    row: Row = json.loads(done.stdout)
    return {"ready_seconds": row.pop("ready_at") - began, **row, "client_cpu": dict(client_cpu)}
