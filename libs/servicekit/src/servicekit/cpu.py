"""How many CPUs this process may really use."""

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def cpu_limit(cgroup: Path = CGROUP) -> int:
    """Whole CPUs, at least 1: the lesser of the affinity mask and the cgroup quota (v2, then v1).

    torch, OpenMP and `os.cpu_count()` look at the host's cores; under a quota their threads throttle each other.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, min(affinity, int(quota))) if quota else affinity


def _quota(cgroup: Path) -> float | None:
    for files in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            words = " ".join((cgroup / file).read_text() for file in files).split()
            quota, period = float(words[0]), float(words[1])
        except (OSError, ValueError):  # not this cgroup version, or "max"
            continue
        return quota / period if quota > 0 else None
    return None
