"""What PostgreSQL may do when root starts it: read what it is made of, write its own data, and no more."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from stack import EmbeddedStack, free_ports
from stack.pgserver import binary, psql
from stack.site import REPOSITORY
from stack.unprivileged import unprivileged

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="anybody else's processes are theirs")

READ_ONLY = 1 << 2  # CAP_DAC_READ_SEARCH


def test_the_server_keeps_no_way_to_write_roots_files(stores: EmbeddedStack, tmp_path: Path) -> None:
    """Its one capability is to read; a statement that writes a file of root's is refused."""
    file = tmp_path / "mine"
    file.write_text("root's")
    status = Path(f"/proc/{stores.pids('postgres')[0]}/status").read_text()
    told = dict(line.split(":\t", 1) for line in status.splitlines())
    assert [int(told[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == [READ_ONLY] * 4
    assert psutil.Process(stores.pids("postgres")[0]).uids().effective != 0
    for target in (file, tmp_path / "new"):
        copy = f"COPY (SELECT 1) TO '{target}'"
        done = psql(copy, stores.site.ports["postgres"], stores.site.secrets.postgres, timeout=10)
        assert "Permission denied" in done.stderr
    assert file.read_text() == "root's"


def test_a_data_folder_that_root_restored_is_used(tmp_path: Path) -> None:
    """Copied as root, all files are root's; the server gets them back, below a folder that only root may enter."""
    tmp_path.chmod(0o700)
    stack = EmbeddedStack(tmp_path, free_ports(), ("postgres",))
    with stack:
        pass
    for each in (stack.site.data / "postgres").rglob("*"):
        os.chown(each, 0, 0)
    os.chown(stack.site.data / "postgres", 0, 0)
    with stack:
        assert stack.pids("postgres")


def test_a_program_that_only_root_could_run(tmp_path: Path) -> None:
    """So it is installed with a umask of 077."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nid -u")
    program.chmod(0o700)
    assert subprocess.run(unprivileged(str(program)), capture_output=True, check=True).stdout.strip() != b"0"


def start_without_the_capability(root: Path) -> subprocess.CompletedProcess[str]:
    """Start and stop a server as root of a container does: Docker takes CAP_DAC_READ_SEARCH away."""
    code = f"""
from pathlib import Path
from stack import EmbeddedStack, free_ports
for _ in range(2):
    with EmbeddedStack(Path({str(root)!r}), free_ports(), ("postgres",)) as stack:
        print(stack.status()[0].detail)
"""
    contained = ("setpriv", "--bounding-set=-dac_read_search", "--", sys.executable, "-c", code)
    return subprocess.run(contained, cwd=REPOSITORY, check=False, capture_output=True, text=True)


@pytest.mark.skipif(
    not all(each.stat().st_mode & 0o001 for each in Path(binary("postgres")).resolve().parents),
    reason="nobody can't enter the folder of the server",
)
def test_root_of_a_container_has_a_server() -> None:
    """Without the capability, the way to the documents is opened for the server; others can't list it."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        root = Path(parent) / "root"
        done = start_without_the_capability(root)
        assert (done.returncode, done.stdout.split()) == (0, ["ready", "ready"]), done.stderr
        assert root.stat().st_mode & 0o077 == 0o011


def test_a_folder_that_bars_the_way_is_named() -> None:
    """Without the capability, a clone below /root has no server: the error says which folder, and what helps."""
    with tempfile.TemporaryDirectory() as closed:
        done = start_without_the_capability(Path(closed) / "root")
    assert done.returncode != 0
    assert f"user nobody can't enter {closed}" in done.stderr
    assert "--cap-add=DAC_READ_SEARCH" in done.stderr
