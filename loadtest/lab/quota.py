"""Gives a process a share of the machine's CPU time, as a container's limit does: a cgroup with a quota."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PERIOD = 100_000  # microseconds, as Docker and Kubernetes have it
V1, V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")


@contextmanager
def quota(cpus: float) -> Iterator[Sequence[str]]:
    """What to put before a command line: its process is under the quota before the program begins.

    Raises OSError where this user may make no cgroup with a quota.
    """
    version_1 = (V1 / "cpu.cfs_period_us").exists()
    cgroup = (V1 if version_1 else V2) / f"warmstart-{os.getpid()}"
    cgroup.mkdir()
    try:
        if version_1:
            (cgroup / "cpu.cfs_period_us").write_text(str(PERIOD))
            (cgroup / "cpu.cfs_quota_us").write_text(str(round(cpus * PERIOD)))
        else:
            (cgroup / "cpu.max").write_text(f"{round(cpus * PERIOD)} {PERIOD}")
        yield ("sh", "-c", 'echo $$ > "$0" && exec "$@"', str(cgroup / "cgroup.procs"))
    finally:
        cgroup.rmdir()  # all its processes have ended
