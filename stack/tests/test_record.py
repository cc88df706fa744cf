"""Telling our processes from those of others."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil

from stack import until
from stack.record import Record


def test_a_running_process_is_recognised(tmp_path: Path) -> None:
    """What was saved leads back to the same process."""
    record = Record.of(psutil.Process(), port=80)
    record.save(tmp_path / "pid")
    assert Record.load(tmp_path / "pid") == record
    process = record.process()
    assert process is not None
    assert process.pid == os.getpid()


def test_a_recycled_pid_is_not_recognised() -> None:
    """The same number with another start time is somebody else's process, of whatever age."""
    record = Record.of(psutil.Process(), port=80)
    assert replace(record, created=record.created - 100).process() is None
    assert replace(record, created=record.created + 100).process() is None


def test_a_process_that_ended_is_not_recognised() -> None:
    """Not even as a zombie, which still has its pid and start time."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        record = Record.of(psutil.Process(child.pid), port=80)
        child.kill()
        until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE, 5, "zombie")
        assert record.process() is None
    assert record.process() is None


def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    """A pid file cut short by a power failure stops nothing."""
    assert Record.load(tmp_path / "missing") is None
    for text in ("", "{", "[]", '{"pid": 1}'):
        (tmp_path / "pid").write_text(text)
        assert Record.load(tmp_path / "pid") is None
