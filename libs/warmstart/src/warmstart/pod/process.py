"""What this process is part of: a pod of processes under gunicorn, or nothing but itself."""

import logging
import os
import signal
import sys
from dataclasses import dataclass, field
from typing import NoReturn

from warmstart.lifecycle.phase import Phase
from warmstart.pod.board import Board, Entry

START_FAILED = 3  # of the container
PROCESS_FAILED_START = 70  # of one process: gunicorn's master crashes when several of its children exit with 3
BACKGROUND_TASK_DIED = 1

# What a process sends to gunicorn's master, which has no use of its own for it; ignored by whoever knows nothing of it.
NEEDS_SUCCESSOR = signal.SIGURG
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the variable by which prometheus_client knows of several processes


@dataclass
class Process:
    """A place on a board. `under_gunicorn`: its worker class binds before the lifespan is warm, and replaces it."""

    board: Board = field(default_factory=lambda: Board(slots=1))
    slot: int = 1
    under_gunicorn: bool = False
    elder: int = 0  # process id of another master, whose processes serve on the same port until it ends

    def sibling_serves(self) -> bool:
        """Whether another process of the pod can answer requests now."""
        return any(each.phase.serving for each in self._siblings())

    def elder_serves(self) -> bool:
        """Whether the processes of another master answer requests."""
        try:
            os.kill(self.elder, 0)
        except ProcessLookupError:
            return False
        return self.elder != 0

    def is_replaced(self, leaving_since: float) -> bool:
        """Whether the pod needs this process no longer: enough others are ready and stay longer, or all of it stops."""
        longer = [each for each in self._siblings() if each.leaving_since > leaving_since]
        ready = sum(each.phase is Phase.READY for each in longer)
        return not self.under_gunicorn or self.board.stopping or ready >= self.board.wanted

    def ask_for_successor(self) -> None:
        """Have gunicorn's master start a process more, if it takes one to replace this one."""
        os.kill(os.getppid(), NEEDS_SUCCESSOR)

    def publish(self, entry: Entry) -> None:
        """Write this process's entry, and the pod's first readiness when it is reached."""
        self.board.write(self.slot, entry)
        if not self.board.first_ready:
            self.board.note_readiness()

    def _siblings(self) -> list[Entry]:
        pid = os.getpid()
        return [entry for entry in self.board.entries() if entry.pid != pid]


_under_gunicorn: Process | None = None


def join(process: Process) -> None:
    """Called by the gunicorn worker class after the fork."""
    global _under_gunicorn  # noqa: PLW0603 - a process has one place
    _under_gunicorn = process


def current() -> Process:
    """The place given by the gunicorn worker class, or a board for this process alone."""
    return _under_gunicorn or Process()


def leave(status: int) -> NoReturn:
    """End the process now, without waiting for threads: one may be loading a model for seconds more."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
