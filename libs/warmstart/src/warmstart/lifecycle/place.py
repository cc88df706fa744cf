"""Where a process stands: alone, or in a pod of several. What the lifecycle wants of the pod is defined here."""

import logging
import math
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, NoReturn

from warmstart.lifecycle.phase import Phase
from warmstart.lifecycle.signals import Asked, stops_the_server

PROCESS_FAILED_START = 70  # not gunicorn's 3: its master crashes when several of its children exit with that
BACKGROUND_TASK_DIED = 1


@dataclass(frozen=True)
class Entry:
    """One process: its phase, why each resource is not open and healthy, and since when it wants to leave."""

    pid: int
    phase: Phase
    failures: dict[str, str] = field(default_factory=dict)
    leaving_since: float = math.inf  # by the system's monotonic clock; it serves until others are ready in its place

    @property
    def leaving(self) -> bool:
        """Whether it waits for a successor, or goes."""
        return self.leaving_since < math.inf


class Place:
    """A process alone, under a server that isn't ours: TestClient, uvicorn, `fastapi dev`.

    It is warm before it serves, and stops as its server does, without a drain. A pod's place overrides all of it.
    """

    binds_first: ClassVar[bool] = False  # whether probes are answered while it warms; such a process is ours to end

    def __init__(self) -> None:
        self._asked: Asked | None = None
        self._entry: Entry | None = None
        self._first_ready = False

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
        """Whether this process accepts nothing yet, since others serve."""
        return False

    def is_replaced(self, leaving_since: float) -> bool:
        """Whether the pod needs this process no longer."""
        return True

    def ask_for_successor(self) -> None:
        """Have another process started in this one's place."""

    def watch(self, asked: Callable[[], None]) -> None:
        """Call `asked` when somebody wants this process to stop; here only while it warms.

        uvicorn would notice after the lifespan's start: 7 s later, when a start takes 8.
        """
        self._asked = Asked((signal.SIGTERM, signal.SIGINT), asked)

    def unwatch(self) -> None:
        """It is the server that is asked from now on."""
        if self._asked:
            self._asked.restore()

    def warmed(self) -> None:
        """This process is about to be ready."""
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
    """Called by a worker class after the fork: from now on this process stands there."""
    global _place  # noqa: PLW0603 - a process has one place
    _place = place


def current() -> Place:
    """The place that a worker class gave, or one for this process alone."""
    return _place or Place()


def leave(status: int) -> NoReturn:
    """End the process now, without waiting for threads: one may be loading a model for seconds more."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
