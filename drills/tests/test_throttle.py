"""The throttle that gives processes of this machine a share of the CPU."""

import subprocess
import sys

import psutil

from drills.throttle import Throttle
from stack import until

LIMIT = 10.0  # seconds


def test_a_process_that_ends_while_it_is_looked_up_ends_no_throttling() -> None:
    """The others are stopped in turns, and run when it is over."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as runs:
        try:
            throttle = Throttle(lambda: [ended.pid, runs.pid], share=0.1).start()
            try:
                process = psutil.Process(runs.pid)
                until(lambda: process.status() == psutil.STATUS_STOPPED, LIMIT, "the process is stopped")
            finally:
                throttle.stop()
            until(lambda: process.status() != psutil.STATUS_STOPPED, LIMIT, "the process runs")
        finally:
            runs.kill()
