"""Uses a share of one CPU: `python -m loadtest.bench.burn 0.12`."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

PERIOD = 0.01  # seconds


def burn(share: float) -> None:
    """Be busy for `share` of each period, by the CPU time really used, until the parent process is gone."""
    parent = os.getppid()
    while os.getppid() == parent:
        began, used = time.perf_counter(), time.process_time()
        while time.process_time() - used < share * PERIOD:
            pass
        time.sleep(max(0.0, PERIOD - (time.perf_counter() - began)))


@contextmanager
def burning(share: float) -> Iterator[None]:
    """A process that uses CPU during the block."""
    if share <= 0:
        yield
        return
    process = subprocess.Popen([sys.executable, "-m", "loadtest.bench.burn", str(share)])
    try:
        yield
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    burn(float(sys.argv[1]))
