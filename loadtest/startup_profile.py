"""`make startup-profile`: the stages of a worker's start, in seconds from exec, and the time of its imports."""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from loadtest.variables import positive
from stack.environment import above
from stack.http import ask
from stack.port_claims import free_ports
from stack.ports import HOST
from stack.site import REPOSITORY
from stack.waiting import until

STARTS = positive("STARTS", 7)
READY_SECONDS = 120.0
SHOWN = 12  # packages

# The lines in the worker's log.
MARKS = {
    "gunicorn's master runs": r"Starting gunicorn",
    "process forked": r"Booting worker",
    "model: load begun": r"model threads",
    "application imported, lifespan begun": r"starting -> warming",
    "model: libraries imported, files read, graph compiled": r"loaded \S+ \(",
    "pass: one short text": r"warm-up pass, one short text",
    "pass: one text at maximum length": r"warm-up pass, one text at maximum",
    "pass: one text of each length": r"warm-up pass, one text of each",
    "pass: a batch of typical texts": r"warm-up pass, a batch",
    "ready": r"warming -> ready",
}
STAMP = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) ")
IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")


def main() -> int:
    """Print both tables."""
    starts = []
    for number in range(STARTS):
        print(f"start {number + 1} of {STARTS}", end="\r", file=sys.stderr, flush=True)
        starts.append(_marks_of_one_start())
    print(f"Median of {STARTS} starts, settings of this shell ({_engine()}):\n\n   at s   + s")
    before = 0.0
    medians = {mark: statistics.median(start[mark] for start in starts) for mark in set.intersection(*map(set, starts))}
    for mark, at in sorted(medians.items(), key=lambda item: item[1]):
        print(f"{at:7.2f} {at - before:5.2f}  {mark}")
        before = at
    print("\nThe passes and the application's import run beside each other, in two threads.")
    print("\nImports of the application, by package, ms of their own:\n")
    for package, milliseconds in sorted(_imports("worker.app").items(), key=lambda item: -item[1])[:SHOWN]:
        print(f"{milliseconds:7.0f}  {package}")
    return 0


def _engine() -> str:
    return f"ENGINE={os.environ.get('ENGINE', 'auto')}"


def _marks_of_one_start() -> dict[str, float]:
    """Seconds from exec to each mark that the log holds."""
    port = free_ports()["worker"]
    own = {"HOST": HOST, "PORT": str(port), "LOG_FORMAT": "console"}
    environment = {"DRAIN_SECONDS": "0", **above(own)}
    with tempfile.TemporaryFile("w+") as log:
        began = time.time()
        worker = _begin(environment, log.fileno())
        try:
            until(lambda: _is_ready(worker, port), READY_SECONDS, "the worker to be ready", interval=0.01)
        finally:
            worker.terminate()
            worker.wait(timeout=30)
        log.seek(0)
        return _read(log.read(), began)


def _begin(environment: Mapping[str, str], log: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "gunicorn", "-c", "services/worker/gunicorn.conf.py"]
    return subprocess.Popen(command, cwd=REPOSITORY, env=dict(environment), stdout=log, stderr=log)


def _is_ready(worker: "subprocess.Popen[bytes]", port: int) -> bool:
    if worker.poll() is not None:
        raise SystemExit(f"the worker ended with {worker.returncode}: start it by hand to see why")
    return ask(f"http://127.0.0.1:{port}/readyz").status == 200


def _read(log: str, began: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in log.splitlines():
        stamp = STAMP.match(line)
        for mark, pattern in MARKS.items():
            if stamp and mark not in found and re.search(pattern, line):
                found[mark] = datetime.strptime(stamp[1], "%Y-%m-%d %H:%M:%S,%f").astimezone().timestamp() - began
    return found


def _imports(module: str) -> dict[str, float]:
    """Milliseconds that the import of `module` takes in each top-level package."""
    command = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
    said = subprocess.run(command, cwd=Path(REPOSITORY), capture_output=True, text=True, check=True).stderr
    packages: defaultdict[str, float] = defaultdict(float)
    for own, name in IMPORT.findall(said):
        packages[name.split(".")[0]] += int(own) / 1000
    return packages


if __name__ == "__main__":
    sys.exit(main())
