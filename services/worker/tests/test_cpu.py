"""The quota of the process's own cgroup counts, wherever it stands in the tree, on both versions of cgroups."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from worker.cgroup import cpu_quota
from worker.cpu import cpu_limit

V2 = "35 24 0:29 {root} {point} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V1 = "41 31 0:36 {root} {point} rw,nosuid - cgroup cgroup rw,cpu,cpuacct"
MEMORY = "42 31 0:37 {root} {point} rw,nosuid - cgroup cgroup rw,memory"
CPUS = cpu_limit(Path("/nothing"))  # that this process may run on
USER = "/user.slice/user-1000.slice/user@1000.service"


def process(folder: Path, cgroup: str, mount: str, root: str, files: Mapping[str, str]) -> Path:
    """What /proc tells of a process, with a tree below a mount point that has a space in its name."""
    point = folder / "the tree"
    for name, content in files.items():
        (point / name).parent.mkdir(parents=True, exist_ok=True)
        (point / name).write_text(content + "\n")
    (folder / "cgroup").write_text(cgroup + "\n")
    line = mount.format(root=root, point=str(point).replace(" ", "\\040"))
    (folder / "mountinfo").write_text(f"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n{line}\n")
    return folder


def v1(quota: str, below: str = "") -> dict[str, str]:
    return {f"{below}cpu.cfs_quota_us": quota, f"{below}cpu.cfs_period_us": "100000"}


@pytest.mark.parametrize(
    ("cgroup", "root", "files", "quota"),
    [
        ("0::/", "/", {"cpu.max": "150000 100000"}, 1.5),  # a container
        ("0::/", "/", {"cpu.max": "max 100000"}, None),
        ("0::/", "/", {}, None),  # a host without limits
        ("0::/system.slice/a.service", "/", {"system.slice/a.service/cpu.max": "200000 100000"}, 2),  # CPUQuota=200%
        ("0::/a.slice/b.scope", "/", {"a.slice/cpu.max": "50000 100000", "a.slice/b.scope/cpu.max": "max 100000"}, 0.5),
        ("0::/a/b", "/", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "700000 100000"}, 3),  # the least one counts
        ("0::/a/b", "/", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "50000 50000"}, 1),  # periods differ
        (
            f"0::{USER}/app:1.scope",
            "/",
            {f"{USER[1:]}/app:1.scope/cpu.max": "25000 100000"},
            0.25,
        ),  # colons are allowed
        ("0::/a", "/", {"b/cpu.max": "100000 100000"}, None),  # somebody else's
        ("0::/docker/1", "/docker/1", {"cpu.max": "100000 100000"}, 1),  # the mount point shows this cgroup
        ("0::/docker/1/x", "/docker/1", {"x/cpu.max": "100000 100000"}, 1),
        ("0::/docker/1", "/docker/2", {"cpu.max": "100000 100000"}, 1),  # not shown: the mount point is the best guess
        ("0::/../b", "/", {"cpu.max": "100000 100000"}, 1),  # moved out of its namespace
        ("0::/../b", "/..", {"b/cpu.max": "100000 100000"}, 1),
        ("0::/a", "/", {"a/cpu.max": "nonsense"}, None),
        ("", "/", {"cpu.max": "100000 100000"}, 1),  # a sandbox that doesn't tell cgroups
    ],
)
def test_the_quota_of_version_2(tmp_path: Path, cgroup: str, root: str, files: dict[str, str], quota: float) -> None:
    """The least `cpu.max` of the process's cgroup and those above it."""
    assert cpu_quota(process(tmp_path, cgroup, V2, root, files)) == quota


@pytest.mark.parametrize(
    ("cgroup", "root", "files", "quota"),
    [
        ("4:cpu,cpuacct:/", "/", v1("150000"), 1.5),
        ("4:cpu,cpuacct:/", "/", v1("-1"), None),
        ("4:cpuacct,cpu:/a.slice/b", "/", {**v1("-1"), **v1("200000", "a.slice/"), **v1("-1", "a.slice/b/")}, 2),
        ("4:cpu:/docker/1", "/docker/1", v1("100000"), 1),  # Docker without a namespace of cgroups
        ("4:cpu:/kubepods/pod1/c1", "/kubepods/pod1", {**v1("300000"), **v1("250000", "c1/")}, 2.5),
        ("3:cpuset:/a\n4:cpu:/b", "/", {**v1("100000", "a/"), **v1("200000", "b/")}, 2),
        ("0::/a\n4:cpu:/b", "/", {**v1("100000", "a/"), **v1("200000", "b/")}, 2),  # both versions beside each other
    ],
)
def test_the_quota_of_version_1(tmp_path: Path, cgroup: str, root: str, files: dict[str, str], quota: float) -> None:
    """Of the hierarchy that has the controller `cpu`."""
    assert cpu_quota(process(tmp_path, cgroup, V1, root, files)) == quota


def test_other_hierarchies_have_no_quota(tmp_path: Path) -> None:
    """A folder of the memory controller is not asked, and no /proc is no quota."""
    assert cpu_quota(process(tmp_path, "4:cpu:/\n5:memory:/", MEMORY, "/", v1("100000"))) is None
    assert cpu_quota(tmp_path / "nothing") is None


@pytest.mark.parametrize(("quota", "limit"), [("50000", 1), ("100000", 1), ("199999", 1), ("6400000", None)])
def test_the_limit_is_whole_cpus(tmp_path: Path, quota: str, limit: int | None) -> None:
    """Never less than one, and never more than the process may run on."""
    assert cpu_limit(process(tmp_path, "0::/", V2, "/", {"cpu.max": f"{quota} 100000"})) == min(limit or CPUS, CPUS)


@pytest.fixture
def own_cgroup() -> Iterator[Path]:
    """A real cgroup below this process's own with a quota of 1.2 CPUs, where this host lets us make one."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    v1_path = next((path for _, names, path in (line.split(":", 2) for line in lines) if names == "cpu"), None)
    files = {"cpu.max": "120000 100000"} if v1_path is None else {"cpu.cfs_quota_us": "120000"}
    tree = Path("/sys/fs/cgroup") if v1_path is None else Path("/sys/fs/cgroup/cpu", v1_path.strip("/"))
    folder = tree / f"warmstart-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    try:
        if not all((folder / name).exists() for name in files):
            pytest.skip(f"{folder} has no controller `cpu`")
        for name, content in files.items():
            (folder / name).write_text(content)
        yield folder
    finally:
        folder.rmdir()


@pytest.mark.skipif(CPUS < 2, reason="one CPU is one CPU under any quota")
def test_a_process_in_a_real_cgroup_knows_its_quota(own_cgroup: Path) -> None:
    """As systemd's `CPUQuota=120%` does it: one thread, although the machine has more cores."""
    code = (
        "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(str(os.getpid()));"
        "from worker.cpu import cpu_limit; print(cpu_limit())"
    )
    argv = [sys.executable, "-c", code, str(own_cgroup / "cgroup.procs")]
    done = subprocess.run(argv, timeout=60, check=True, capture_output=True, text=True)
    assert done.stdout == "1\n"
