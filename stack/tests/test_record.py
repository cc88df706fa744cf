"""Telling our processes from those of others."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from stack import until
from stack.record import Record


def test_a_running_process_is_recognised(tmp_path: Path) -> None:
    """What was saved leads back to the same process."""
    record = Record.of(psutil.Process(), 80, tmp_path / "pid")
    record.save()
    assert Record.load(tmp_path / "pid") == record
    process = record.process()
    assert process is not None
    assert process.pid == os.getpid()


def test_a_recycled_pid_is_not_recognised(tmp_path: Path) -> None:
    """The same number that began at another tick, or after another boot, is somebody else's process."""
    record = Record.of(psutil.Process(), 80, tmp_path / "pid")
    boot, ticks = record.begun.split()
    assert replace(record, begun=f"{boot} {int(ticks) + 1}").process() is None
    assert replace(record, begun=f"another {ticks}").process() is None


def test_a_clock_that_was_set_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that was suspended sets its clock, and with it the time at which each process seems to have begun."""
    record = Record.of(psutil.Process(), 80, tmp_path / "pid")
    began = psutil.Process().create_time()
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: began + 3600)
    assert record.process() is not None


def test_a_file_that_was_copied_counts_as_none(tmp_path: Path) -> None:
    """A copy of a checkout must not stop the processes of the first; one that was moved, or linked to, is the first."""
    first, copied, linked = (tmp_path / name for name in ("first", "copied", "linked"))
    first.mkdir()
    record = Record.of(psutil.Process(), 80, first / "pid")
    record.save()
    shutil.copytree(first, copied)
    linked.symlink_to(first)
    assert Record.load(copied / "pid") is None
    assert Record.load(linked / "pid") == record
    assert Record.load(first.rename(tmp_path / "moved") / "pid") == record


def test_a_process_that_ended_is_not_recognised(tmp_path: Path) -> None:
    """Not even as a zombie, which still has its pid and start time."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        record = Record.of(psutil.Process(child.pid), 80, tmp_path / "pid")
        child.kill()
        until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE, 5, "zombie")
        assert record.process() is None
    assert record.process() is None


def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    """A pid file cut short by a power failure stops nothing."""
    assert Record.load(tmp_path / "missing") is None
    for text in ("", "{", "[]", '{"pid": 1}', '{"pid": 1, "begun": "", "port": 1, "file": null}'):
        (tmp_path / "pid").write_text(text)
        assert Record.load(tmp_path / "pid") is None
