"""A limit for the memory of some processes of this machine, with the kernel's answer to who exceeds it."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from drills.interrupts import INTERRUPTS

CGROUPS = Path("/sys/fs/cgroup/memory")  # version 1


def no_memory_limit() -> str | None:
    """Why `memory_limit` can't work here."""
    with suppress(OSError):
        probe = _own_group() / f"probe-{os.getpid()}"
        probe.mkdir()
        probe.rmdir()
        return None
    return "a limit for some processes takes root and the memory controller of cgroup version 1"


@contextmanager
def memory_limit(pids: list[int], megabytes: int) -> Iterator[None]:
    """The kernel kills one of these processes or of their descendants when they take more together from now on."""
    parent = _own_group()
    group = parent / f"drill-{os.getpid()}"
    with ExitStack() as undoing:
        with INTERRUPTS.shielded():
            group.mkdir()
            undoing.callback(_dissolve, group, parent)
        (group / "memory.limit_in_bytes").write_text(str(megabytes * 2**20))
        (group / "memory.swappiness").write_text("0")
        _move(pids, group)
        yield


def _dissolve(group: Path, parent: Path) -> None:
    with INTERRUPTS.shielded():
        _move([int(pid) for pid in (group / "cgroup.procs").read_text().split()], parent)
        group.rmdir()


def _own_group() -> Path:
    """That of this process. Raises OSError where there is none."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    paths = [path for _, controllers, path in (line.split(":", 2) for line in lines) if controllers == "memory"]
    if not paths:
        raise FileNotFoundError(CGROUPS)
    return CGROUPS / paths[0].lstrip("/")


def _move(pids: list[int], group: Path) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(pid))
