"""How many CPUs this process may really use."""

import os
from pathlib import Path

from worker.cgroup import cpu_quota

PROCESS = Path("/proc/self")


def cpu_limit(process: Path = PROCESS) -> int:
    """Whole CPUs, at least 1: the lesser of the affinity mask and the quota of the process's cgroup.

    torch, OpenMP and `os.cpu_count()` look at the host's cores; under a quota their threads throttle each other.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(process)
    return affinity if quota is None else max(1, min(affinity, int(quota)))
