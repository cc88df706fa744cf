"""Runs `limit`, the in-process limit of an engine, as a system among the others."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from loadtest.bench.cases import Durations, Row
from loadtest.bench.server import TAIL, ServerEnded
from stack.site import REPOSITORY

LIMIT_SECONDS = 300.0


def measure_limit(engine: str, folder: Path, round_: int, durations: Durations, client_cpu: Mapping[str, float]) -> Row:
    """One row. `client_cpu`: by case, what a process burns beside it. Raises ServerEnded with what the program said."""
    orders = {"round": round_, "scale": durations.scale, "client_cpu": dict(client_cpu)}
    with (folder / "log").open("w+") as log:
        began = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "loadtest.bench.limit", json.dumps(orders)],
            cwd=REPOSITORY,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "ENGINE": engine},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process:
            assert process.stdout  # noqa: S101 - PIPE
            first = process.stdout.readline()
            ready = time.perf_counter() - began
            rest, _ = process.communicate(timeout=LIMIT_SECONDS)
        log.seek(0)
        if process.returncode or not first:
            raise ServerEnded(f"exit code {process.returncode}: {log.read().strip()[-TAIL:]}")
    return {"ready_seconds": ready, **json.loads(rest), "client_cpu": dict(client_cpu)}
