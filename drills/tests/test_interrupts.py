"""Signals that end a run."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills import disk
from drills import drill as drills
from drills.interrupts import SIGNALS, Interrupts
from drills.matrix import ROWS
from drills.options import Options
from drills.system import System
from stack import EmbeddedStack, free_ports
from stack.site import REPOSITORY

HANDLERS = """
import signal, pytest
class Look:
    def pytest_collection_finish(self):
        print("heard", [signal.getsignal(each).__name__ for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)])
for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # whatever this shell has its programs ignore
    signal.signal(each, signal.SIG_DFL)
pytest.main(["drills/scenarios", "--collect-only", "-q", "-s"], plugins=[Look()])
"""


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    """They are heard as long as the test runs."""
    before = {each: signal.signal(each, signal.SIG_DFL) for each in SIGNALS}
    found = Interrupts()
    found.listen()
    yield found
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.fixture
def drill(interrupts: Interrupts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> drills.Drill:
    """One that hears them, on a stack that isn't started."""
    monkeypatch.setattr(drills, "INTERRUPTS", interrupts)
    system = System(EmbeddedStack(tmp_path, free_ports()), "embedded")
    return drills.Drill(ROWS[0], system, Options(100, 1, tmp_path), tmp_path, 1, controlled=False)


def come(number: signal.Signals) -> None:
    """Call what hears a signal.

    A real one would end pytest where a C++ library has left this thread an alternate signal stack (sigaltstack) in
    memory that it has unmapped.
    """
    heard = signal.getsignal(number)
    assert heard != signal.SIG_DFL
    if callable(heard):
        heard(number, None)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda each: each.name)
def test_the_first_signal_ends_the_run(interrupts: Interrupts, number: signal.Signals) -> None:
    """Supervisors send one after the other: the next ones don't interrupt what the first one has begun."""
    with pytest.raises(KeyboardInterrupt):
        come(number)
    for each in SIGNALS:
        come(each)


def test_what_is_shielded_is_completed(interrupts: Interrupts) -> None:
    """The outermost shield raises at its end, once."""
    done = []

    @interrupts.shielded()
    def outer() -> None:
        with interrupts.shielded():
            come(signal.SIGTERM)
            done.append("inner")
        done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        outer()
    with interrupts.shielded():
        done.append("afterwards")
    assert done == ["inner", "outer", "afterwards"]


def test_an_ignored_signal_stays_ignored(interrupts: Interrupts) -> None:
    """As under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupts.listen()
    come(signal.SIGHUP)


def test_a_fault_is_undone_though_the_run_is_ended(drill: drills.Drill) -> None:
    """A signal in the midst of the rollback is heard after it."""
    undone = []

    def undo() -> None:
        come(signal.SIGTERM)
        undone.append("the fault")

    with pytest.raises(KeyboardInterrupt), drill.fault(undo):
        pass
    assert undone == ["the fault"]


def test_drills_hear_all_of_them() -> None:
    """Nothing that pytest loads takes one of the signals from a run of drills."""
    run = subprocess.run(
        [sys.executable, "-c", HANDLERS], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True
    )
    assert "heard ['_hear', '_hear', '_hear']" in run.stdout


def test_a_signal_in_the_last_look_does_not_end_the_rollback(
    drill: drills.Drill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the threads that ask the probes are stopped, it is heard after everything was undone and healed."""
    done = []
    monkeypatch.setattr(drill, "unwatch", lambda: come(signal.SIGTERM))
    monkeypatch.setattr(drill.system, "heal", lambda: done.append("healed"))
    drill.undo(lambda: done.append("undone"))
    with pytest.raises(KeyboardInterrupt):
        drill.__exit__(None, None, None)
    assert done == ["undone", "healed"]


def test_a_signal_while_a_disk_is_mounted_leaves_no_mount(
    interrupts: Interrupts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is heard when the mount is there, which is then taken away."""
    ran: list[str] = []

    def run(*command: str) -> None:
        ran.append(command[0])
        come(signal.SIGTERM)

    monkeypatch.setattr(disk, "INTERRUPTS", interrupts)
    monkeypatch.setattr(disk, "_run", run)
    with pytest.raises(KeyboardInterrupt), disk.small_disk(tmp_path, 1):
        pass
    assert ran == ["mount", "umount"]
