"""The CPU quota of a process's cgroup: that of a container, or of a systemd unit with `CPUQuota=`.

A process is in one cgroup of each hierarchy (`/proc/self/cgroup`), which lies below a mount point
(`/proc/self/mountinfo`); the quotas of all cgroups from there up to the mount point hold together, so that the least
one counts. Formats: cgroups(7), proc_pid_mountinfo(5), the kernel's cgroup-v2.rst.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

V2, V1 = "cgroup2", "cgroup"  # file system types
CONTROLLER = "cpu"
FILES = {V2: ("cpu.max",), V1: ("cpu.cfs_quota_us", "cpu.cfs_period_us")}


@dataclass(frozen=True)
class Mount:
    """A place where a hierarchy with CPU quotas is seen; `root` is the cgroup that the mount point shows."""

    kind: str
    root: PurePosixPath
    point: Path

    def shows(self, cgroup: PurePosixPath) -> bool:
        """Whether a cgroup lies below this mount. In a container that shares the host's cgroup names, it may not."""
        return cgroup.is_relative_to(self.root) and ".." not in cgroup.relative_to(self.root).parts

    def folders(self, cgroup: PurePosixPath) -> Iterator[Path]:
        """The folders of the cgroup and of all above it; for a cgroup that isn't shown, the mount point itself."""
        below = cgroup.relative_to(self.root) if self.shows(cgroup) else PurePosixPath()
        return (self.point / each for each in (below, *below.parents))


def cpu_quota(process: Path) -> float | None:
    """CPUs that the process may use on average, None without a quota.

    Args:
        process: the folder of a process in /proc, with the files `cgroup` and `mountinfo`.
    """
    cgroups = _cgroups(_read(process / "cgroup"))
    mounts = list(_mounts(_read(process / "mountinfo")))
    quotas = []
    for kind in FILES:
        cgroup = cgroups.get(kind, PurePosixPath("/"))
        seen = [mount for mount in mounts if mount.kind == kind]
        best = [mount for mount in seen if mount.shows(cgroup)] or seen
        folders = {folder for mount in best for folder in mount.folders(cgroup)}
        quotas += [quota for folder in folders if (quota := _quota(folder, kind)) is not None]
    return min(quotas, default=None)


def _cgroups(text: str) -> dict[str, PurePosixPath]:
    """The process's cgroup by kind of hierarchy, from lines `number:controllers:path`."""
    found = {}
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            found[V2] = PurePosixPath(path)
        elif CONTROLLER in controllers.split(","):
            found[V1] = PurePosixPath(path)
    return found


def _mounts(text: str) -> Iterator[Mount]:
    """Lines `id parent device root point options … - type source options`."""
    for line in text.splitlines():
        words, _, kinds = line.partition(" - ")
        fields, (kind, *_, options) = words.split(), kinds.split() or ("", "")
        if len(fields) >= 5 and (kind == V2 or (kind == V1 and CONTROLLER in options.split(","))):
            yield Mount(kind, PurePosixPath(_plain(fields[3])), Path(_plain(fields[4])))


def _plain(text: str) -> str:
    r"""Without the escapes of mountinfo: `\040` is a space."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _quota(folder: Path, kind: str) -> float | None:
    words = " ".join(_read(folder / file) for file in FILES[kind]).split()
    try:
        quota, period = (float(word) for word in words)
    except ValueError:  # no such file, or "max"
        return None
    return quota / period if quota > 0 and period > 0 else None


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
