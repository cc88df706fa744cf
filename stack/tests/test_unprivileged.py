"""What PostgreSQL may do when root starts it: read what it is made of, write its own data, and no more."""

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from stack import EmbeddedStack, free_ports
from stack.pgserver import psql
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
