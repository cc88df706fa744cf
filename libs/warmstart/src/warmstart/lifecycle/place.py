"""The interface between the lifecycle of a process and its pod, and a process alone, without a pod."""

import logging
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar, NoReturn

from warmstart.lifecycle.phase import Phase
from warmstart.lifecycle.signals import Asked, stops_the_server

PROCESS_FAILED_START = 70  # not gunicorn's 3: its master crashes when several of its children exit with that
BACKGROUND_TASK_DIED = 1


@dataclass(frozen=True)
class Entry:
    """One process: its phase, why each resource can't be used, and since when the process wants to leave."""

    pid: int
    phase: Phase
    failures: dict[str, str] = field(default_factory=dict)
    leaving_since: float = math.inf  # by the system's monotonic clock; it serves until others replace it

    @property
    def leaving(self) -> bool:
        """Whether the process waits for a successor, or stops."""
        return self.leaving_since < math.inf


class Kept:
    """What one process of a pod has found out, so that the others need not; a process alone keeps it for itself."""

    _content = b""

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Whether this process may read and write now: one at a time."""
        yield True

    def read(self) -> bytes:
        """What was written last; nothing at first."""
        return self._content

    def write(self, content: bytes) -> None:
        """Keep it, in the place of what was written before."""
        self._content = content


class Place:
    """A process alone, under a server that isn't the library's: TestClient, uvicorn, `fastapi dev`.

    Such a process is warm before it serves, and stops as its server does, without a drain. The place of a process in a
    pod overrides all of this.
    """

    binds_first: ClassVar[bool] = False  # whether it answers probes while it warms, and the lifecycle ends it

    def __init__(self) -> None:
        self._asked: Asked | None = None
        self._entry: Entry | None = None
        self._first_ready = False
        self.kept = Kept()  # secrets

    @property
    def first_ready(self) -> bool:
        """Whether the pod has once been ready; never unset."""
        return self._first_ready

    @property
    def expected(self) -> int:
        """How many processes first readiness needs."""
        return 1

    def entries(self) -> list[Entry]:
        """The pod's processes, as each has published itself."""
        return [self._entry] if self._entry else []

    def publish(self, entry: Entry) -> None:
        """Let the pod know how this process is."""
        self._entry = entry
        self._first_ready = self._first_ready or entry.phase is Phase.READY

    def claim_failure(self) -> bool:
        """True for the first caller in the pod: only one process reports why the start failed."""
        return True

    def must_wait(self, *, warm: bool) -> bool:
        """Whether this process must accept nothing yet, since others serve."""
        return False

    def is_replaced(self, leaving_since: float) -> bool:
        """Whether the pod needs this process no longer."""
        return True

    def ask_for_successor(self) -> None:
        """Ask for another process in this one's place."""

    def watch(self, asked: Callable[[], None]) -> None:
        """Call `asked` when this process is asked to stop; for a process alone, only while it warms.

        uvicorn would notice only after the lifespan's start: 7 s later, when a start takes 8.
        """
        self._asked = Asked((signal.SIGTERM, signal.SIGINT), asked)

    def unwatch(self) -> None:
        """Stop watching: from now on the server handles the signal."""
        if self._asked:
            self._asked.restore()
            self._asked = None

    def warmed(self) -> None:
        """Called just before this process is ready."""
        self.unwatch()

    @property
    def has_server(self) -> bool:
        """Whether there is a server that can be stopped."""
        return stops_the_server(signal.SIGTERM)

    def stop(self) -> None:
        """Let the server stop."""
        self.unwatch()
        if self.has_server:
            signal.raise_signal(signal.SIGTERM)


_place: Place | None = None


def join(place: Place) -> None:
    """Called by a worker class after the fork: `place` is this process's place from now on."""
    global _place  # noqa: PLW0603 - a process has one place
    _place = place


def current() -> Place:
    """The place that a worker class has set, or a place for this process alone."""
    return _place or Place()


def leave(status: int) -> NoReturn:
    """End the process now, without waiting for threads: a thread may still be loading a model for seconds."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
