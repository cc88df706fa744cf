"""The place of one process in a pod of several under gunicorn."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from warmstart.lifecycle.phase import Phase
from warmstart.lifecycle.place import Entry, Kept, Place
from warmstart.lifecycle.signals import Asked
from warmstart.pod import garbage
from warmstart.pod.board import Board

# The signal of a process to the master. gunicorn doesn't use it, and a program without a handler ignores it.
NEEDS_SUCCESSOR = signal.SIGURG


class Process(Place):
    """One slot of the board. `elder` is another master, whose processes serve on the same port until it ends."""

    binds_first = True

    def __init__(self, board: Board, slot: int, elder: int = 0, kept: Kept | None = None) -> None:
        super().__init__()
        self.kept = kept or self.kept
        self.board = board
        self.slot = slot
        self.elder = elder

    @property
    def first_ready(self) -> bool:
        """Whether the pod has once been ready."""
        return self.board.first_ready

    @property
    def expected(self) -> int:
        """How many processes first readiness needs."""
        return self.board.expected

    def entries(self) -> list[Entry]:
        """All entries on the board."""
        return self.board.entries()

    def publish(self, entry: Entry) -> None:
        """Write this process's entry, and the pod's first readiness when it is reached."""
        self.board.write(self.slot, entry)
        if not self.board.first_ready:
            self.board.note_readiness()

    def claim_failure(self) -> bool:
        """True for one process only."""
        return self.board.claim_failure()

    def must_wait(self, *, warm: bool) -> bool:
        """Whether to accept nothing yet: until warm while a sibling serves, until all are warm beside an elder."""
        return not self.first_ready if self.elder_serves() else self.sibling_serves() and not warm

    def sibling_serves(self) -> bool:
        """Whether another process of the pod can answer requests now."""
        return any(each.phase.serving for each in self._siblings())

    def elder_serves(self) -> bool:
        """Whether the processes of another master answer requests."""
        try:
            os.kill(self.elder, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # it runs as another user
            return True
        return self.elder != 0

    def is_replaced(self, leaving_since: float) -> bool:
        """Whether enough others are ready and stay longer than this process, or the whole pod stops."""
        longer = [each for each in self._siblings() if each.leaving_since > leaving_since]
        ready = sum(each.phase is Phase.READY for each in longer)
        return self.board.stopping or ready >= self.board.wanted

    def ask_for_successor(self) -> None:
        """Signal gunicorn's master to start another process, if this one's replacement needs one.

        Where the master runs as another user, or is gone and the parent is process 1, that is not allowed.
        """
        with suppress(PermissionError):
            os.kill(os.getppid(), NEEDS_SUCCESSOR)

    def watch(self, asked: Callable[[], None]) -> None:
        """Call `asked` at SIGTERM, from start to stop. Raises RuntimeError for a second lifecycle."""
        if self._asked:
            raise RuntimeError("this process has a Lifecycle already: declare the resources of both in one")
        self._asked = Asked((signal.SIGTERM,), asked)

    def warmed(self) -> None:
        """Let the garbage collector ignore the objects of the start."""
        garbage.settle()

    def _siblings(self) -> list[Entry]:
        pid = os.getpid()
        return [entry for entry in self.board.entries() if entry.pid != pid]
