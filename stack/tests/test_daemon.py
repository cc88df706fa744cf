"""Programs that run on by themselves."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM

import psutil
import pytest

from stack import StackError, until
from stack.daemon import Command, Daemon
from stack.record import Record
from stack.tests.conftest import RunPython

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)"
POLITE = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("up"); time.sleep(60)
"""
PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print("up"); time.sleep(60)
"""


def states(processes: list[psutil.Process]) -> set[str]:
    return {process.status() for process in processes}


def test_a_stop_returns_the_exit_code(run_python: RunPython) -> None:
    """How it ended is known even to a process that isn't its parent."""
    daemon = run_python(POLITE)
    assert daemon.exit_code() is None
    assert daemon.stop(SIGTERM, grace=10) == 7
    assert daemon.main() is None


def test_the_exit_code_names_the_signal_that_ended_it(run_python: RunPython) -> None:
    """128 + N, as a shell says it."""
    daemon = run_python(DEAF)
    daemon.signal(SIGKILL)
    assert until(daemon.exit_code, 5, "exit code") == 128 + SIGKILL


@pytest.mark.parametrize("how", [Daemon.ended, partial(Daemon.stop, sig=SIGTERM, grace=10)], ids=["ended", "stop"])
def test_the_exit_code_is_waited_for(
    run_python: RunPython, monkeypatch: pytest.MonkeyPatch, how: Callable[[Daemon], int | None]
) -> None:
    """The main process is gone before its shell has noted how it ended."""
    late = 'file=$1; shift; "$@"; code=$?; sleep 0.3; echo $code > "$file"'
    monkeypatch.setattr("stack.daemon.NOTE_EXIT_CODE", late)
    daemon = run_python(DEAF)
    daemon.signal(SIGKILL)
    until(lambda: daemon.main() is None, 5, "death of the main process")
    assert how(daemon) == 128 + SIGKILL


def test_it_is_killed_when_its_grace_runs_out(run_python: RunPython, caplog: pytest.LogCaptureFixture) -> None:
    """A program that ignores the signal is ended all the same, with a warning."""
    daemon = run_python(DEAF)
    assert daemon.stop(SIGTERM, grace=0.2) == 128 + SIGKILL
    assert "did not stop within 0.2 s: killed" in caplog.text


def test_a_second_stop_changes_nothing(run_python: RunPython) -> None:
    """Stopping what doesn't run is no error."""
    daemon = run_python(POLITE)
    assert daemon.stop(SIGTERM, grace=10) == 7
    assert daemon.stop(SIGTERM, grace=10) == 7


def test_a_paused_daemon_can_be_stopped(run_python: RunPython) -> None:
    """A frozen process would never hear the signal: it is continued first."""
    daemon = run_python(POLITE)
    daemon.pause()
    assert daemon.stop(SIGTERM, grace=10) == 7


def test_pause_and_resume_reach_every_descendant(run_python: RunPython) -> None:
    """Children in sessions of their own, as PostgreSQL's, stop and go on too."""
    daemon = run_python(PARENT)
    processes = daemon.processes()
    assert len(processes) == 2
    daemon.pause()
    assert states(processes) == {psutil.STATUS_STOPPED}
    daemon.resume()
    until(lambda: psutil.STATUS_STOPPED not in states(processes), 5, "none stopped")


def test_what_a_killed_main_process_leaves_behind_is_found(run_python: RunPython) -> None:
    """An orphan would hold the port of the next start."""
    daemon = run_python(PARENT)
    _, orphan = daemon.processes()
    daemon.signal(SIGKILL)
    until(lambda: daemon.main() is None, 5, "death of the main process")
    assert orphan.is_running()
    daemon.stop(SIGTERM, grace=10)
    until(lambda: not orphan.is_running(), 5, "death of the orphan")


def test_a_recycled_pid_is_never_signalled(run_python: RunPython, tmp_path: Path) -> None:
    """After a reboot the pid of an old file may be anybody's."""
    daemon = run_python(POLITE)
    bystander = daemon.processes()[0]
    old = Daemon("old", tmp_path, tmp_path / "old.log")
    record = Record.of(bystander, 1, tmp_path / "old.json")
    replace(record, begun=f"earlier {record.begun.split()[1]}").save()
    for sig in (SIGINT, SIGTERM, SIGKILL):
        old.signal(sig)
    old.pause()
    assert old.processes() == []
    assert old.stop(SIGTERM, grace=0) is None
    assert daemon.main() == bystander
    assert daemon.stop(SIGTERM, grace=10) == 7


@pytest.mark.parametrize(
    "left", ['{"pid": 1, "created": 1.0, "port": 1}', "{", None], ids=["earlier", "damaged", "lost"]
)
def test_what_no_pid_file_leads_to_runs_all_the_same(run_python: RunPython, tmp_path: Path, left: str | None) -> None:
    """Taken for stopped, a database of an earlier version would be killed by the next start, and lose time."""
    daemon = run_python(POLITE)
    main, file = daemon.main(), tmp_path / f"{daemon.name}.json"
    file.unlink()
    if left:
        file.write_text(left)
    assert daemon.main() == main
    assert daemon.processes() == [main]
    with pytest.raises(StackError, match="runs already"):
        daemon.start(Command(("true",), {}), port=1)
    assert daemon.stop(SIGTERM, grace=10) == 7
    assert daemon.main() is None


def test_a_program_that_runs_is_not_started_again(run_python: RunPython) -> None:
    """Its pid file would be lost, and with it the way to stop it."""
    daemon = run_python(POLITE)
    with pytest.raises(StackError, match="runs already"):
        daemon.start(Command(("true",), {}), port=1)


def test_a_program_that_cannot_be_run_leaves_the_reason(tmp_path: Path) -> None:
    """The shell's own code for a missing program comes through, and its words are in the log."""
    daemon = Daemon("ghost", tmp_path, tmp_path / "log")
    daemon.start(Command(("/does/not/exist",), {}), port=1)
    assert until(daemon.exit_code, 5, "exit code") == 127
    assert "/does/not/exist" in daemon.tail()


def test_the_tail_is_of_this_run(tmp_path: Path) -> None:
    """The log keeps earlier runs; the reason for a failure is not looked for there."""
    daemon = Daemon("twice", tmp_path, tmp_path / "log")
    for word in ("first", "second"):
        daemon.start(Command(("/bin/echo", word), {}), port=1)
        until(lambda: daemon.exit_code() == 0, 5, "end")
    assert daemon.tail() == "second"
    assert daemon.logs() == "first\nsecond\n"


def test_it_has_a_session_of_its_own(run_python: RunPython) -> None:
    """Neither Ctrl-C nor a closed terminal reaches it."""
    daemon = run_python(POLITE)
    main = daemon.main()
    assert main is not None
    assert os.getsid(main.pid) != os.getsid(0)
