"""`make startup-matrix`: the worker's start under several Pythons and CPU quotas, in turns."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

from loadtest.lab.quota import quota
from loadtest.variables import positive, positives
from stack.environment import above
from stack.http import ask
from stack.port_claims import free_ports
from stack.ports import HOST
from stack.site import REPOSITORY
from stack.waiting import until

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = list(dict.fromkeys([OWN, *(os.environ.get("PYTHONS") or "3.12 3.13 3.14").split()]))
QUOTAS = positives("CPUS", float) or [0.5, 1.0, 2.0]
STARTS = positive("STARTS", 7)
READY_SECONDS = 120.0


@dataclass
class Cell:
    """The starts of one Python under one quota: seconds until `/readyz` is 200, and CPU seconds until then."""

    version: str
    cpus: float
    ready: list[float] = field(default_factory=list)
    used: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Start the worker once more."""
        with quota(self.cpus) as under:
            ready, used = _start(under, _environment(self.version) / "bin" / "python")
        self.ready.append(ready)
        self.used.append(used)

    def __str__(self) -> str:
        low, middle, high = min(self.ready), median(self.ready), max(self.ready)
        return f"{self.version:<9}{self.cpus:<7g}{middle:5.2f}   ({low:.2f} to {high:.2f})   {median(self.used):.2f}"


def main() -> int:
    """Print the table. Exit code 1 without the right to give a process a quota."""
    cells = [Cell(version, cpus) for version in PYTHONS if _is_installed(version) for cpus in QUOTAS]
    for version in PYTHONS:
        if not _is_installed(version):
            print(f"Python {version} is left out: requirements/test.sh has installed nothing for it")
    try:
        with quota(QUOTAS[0]):
            pass
    except OSError as error:
        print(f"no process can be given a quota here: {error}", file=sys.stderr)
        return 1
    for turn in range(STARTS):
        print(f"turn {turn + 1} of {STARTS}, {len(cells)} starts", file=sys.stderr, flush=True)
        for cell in [*cells[turn % len(cells) :], *cells[: turn % len(cells)]]:
            cell.start()
    print(f"\nSeconds until the worker is ready, and CPU seconds until then: medians of {STARTS} starts in turns\n")
    print("python   CPUs   ready   (range)           CPU")
    print("\n".join(map(str, cells)))
    return 0


def _environment(version: str) -> Path:
    """The folder of this repository's environment for a version."""
    return REPOSITORY / (".venv" if version == OWN else f".venv-{version}")


def _is_installed(version: str) -> bool:
    return version == OWN or (_environment(version) / ".installed").exists()


def _start(under: Sequence[str], python: Path) -> tuple[float, float]:
    """Start the worker once, and end it."""
    port = free_ports()["worker"]
    environment = above({"HOST": HOST, "PORT": str(port), "DRAIN_SECONDS": "0", "HF_HUB_OFFLINE": "1"})
    command = [*under, str(python), "-m", "gunicorn", "-c", "services/worker/gunicorn.conf.py"]
    with tempfile.TemporaryFile("w+") as log:
        began = time.perf_counter()
        worker = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=log, stderr=log)
        try:
            until(lambda: _is_ready(worker, port), READY_SECONDS, "the worker to be ready", interval=0.01)
            return time.perf_counter() - began, _used(worker.pid)
        finally:
            worker.terminate()
            worker.wait(timeout=30)


def _is_ready(worker: "subprocess.Popen[bytes]", port: int) -> bool:
    if worker.poll() is not None:
        raise SystemExit(f"the worker ended with {worker.returncode}: start it by hand to see why")
    return ask(f"http://127.0.0.1:{port}/readyz").status == 200


def _used(pid: int) -> float:
    """CPU seconds of gunicorn's master and its processes."""
    master = psutil.Process(pid)
    times = [process.cpu_times() for process in [master, *master.children(recursive=True)]]
    return sum(each.user + each.system for each in times)


if __name__ == "__main__":
    sys.exit(main())
