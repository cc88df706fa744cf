"""Ctrl-C leaves the system as it was found."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from stack import EmbeddedStack, free_ports, until
from stack.site import REPOSITORY


def settings_of(stack: EmbeddedStack) -> dict[str, str]:
    """What the worker was started with."""
    environment = psutil.Process(stack.pids("worker")[0]).environ()
    return {name: environment.get(name, "") for name in ("ENGINE", "REQUEST_TIMEOUT", "DRAIN_SECONDS", "PORT")}


def test_an_interrupt_restores_the_worker_and_keeps_the_rows(tmp_path: Path) -> None:
    """During a trial: exit code 1, the worker runs as before, the generator is gone, its rows are there."""
    root, folder = tmp_path / "stack", tmp_path / "report"
    settings = {"ENGINE": "fake", "REQUEST_TIMEOUT": "7", "DRAIN_SECONDS": "0"}
    rows = folder / "rows" / "001-warm.jsonl"
    command = (sys.executable, "-m", "loadtest.coldstart", "--root", root, "--folder", folder)
    trials = ("--strategies", "warm", "--kinds", "users", "--set", "ENGINE=fake")
    with EmbeddedStack(root, free_ports(), parts=("worker",), environment=settings) as stack:
        before = settings_of(stack)
        lab = subprocess.Popen((*command, *trials), cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
        until(lambda: rows.exists() and len(rows.read_text().splitlines()) > 40, 30, "rows")
        os.kill(lab.pid, signal.SIGINT)
        _, said = lab.communicate(timeout=40)
        assert lab.returncode == 1, said
        assert "interrupted" in said
        assert settings_of(stack) == before
        assert [status.part for status in stack.status() if status.ready] == ["worker"]
    assert len(rows.read_text().splitlines()) > 40
    assert not [each for each in psutil.process_iter(["cmdline"]) if str(rows) in (each.info["cmdline"] or ())]
