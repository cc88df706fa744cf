"""Servers under measurement."""

import sys
from pathlib import Path

import psutil
import pytest

from loadtest.bench.burn import burning
from loadtest.bench.server import Server, ServerEnded
from stack import until

FAMILY = "import subprocess, sys; subprocess.Popen(['sleep', '60']).wait()"


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """The children of a server end with it."""
    with Server([sys.executable, "-c", FAMILY], 0, tmp_path / "log", tmp_path, {}) as server:
        until(lambda: len(server.pids()) == 2, 10, "a child", server.pids)
        pids = server.pids()
    until(lambda: not any(map(_runs, pids)), 10, "the end of all", lambda: pids)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_server_that_ended_says_why(tmp_path: Path) -> None:
    """The error holds its exit code and the end of its log."""
    argv = [sys.executable, "-c", "raise SystemExit('no model')"]
    with (
        Server(argv, 0, tmp_path / "log", tmp_path, {}) as server,
        pytest.raises(ServerEnded, match=r"^exit code 1: no model$"),
    ):
        until(server.check, 10, "its end")


def test_a_burner_uses_its_share() -> None:
    """A process that burns a tenth of a CPU has, by its own clock, used some, and ends with the block."""
    with burning(0.1):
        [child] = [each for each in psutil.Process().children() if "loadtest.bench.burn" in each.cmdline()]
        until(lambda: child.cpu_times().user > 0.1, 20, "some use of the CPU", child.cpu_times)
    assert not child.is_running()


@pytest.mark.parametrize("share", [0.0, -1.0])
def test_no_share_is_no_process(share: float) -> None:
    """Where no load generator ran, nothing burns."""
    before = len(psutil.Process().children())
    with burning(share):
        assert len(psutil.Process().children()) == before
