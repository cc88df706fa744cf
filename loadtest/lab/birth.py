"""The creation time of a process, on the clock of all other measurements."""

import os
import time
from pathlib import Path


def created(pid: int) -> float | None:
    """The `time.monotonic()` of a process's creation, to 10 ms; None if the system doesn't tell (Linux does).

    From field 22 of /proc/PID/stat, in clock ticks since boot (proc(5)). psutil's `create_time` is no substitute:
    it adds the boot time in whole seconds.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        ticks = int(text.rpartition(")")[2].split()[19])
        since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    except (OSError, ValueError, AttributeError):
        return None
    return ticks / os.sysconf("SC_CLK_TCK") - (since_boot - time.monotonic())
