"""The three probes of a service, asked every 100 ms on fresh connections, as a kubelet asks them."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from drills.expected import NONE
from stack import StackError

PERIOD = 0.1  # seconds
TIMEOUT = 1.0  # seconds; the default of a Kubernetes probe
LOOK_AGAIN = 1.0  # seconds between two questions where a service that doesn't answer has gone
PATHS = ("/livez", "/startupz", "/readyz")


@dataclass
class Track:
    """Changes of one value over time: (monotonic seconds, value), and the slowest answer that was one, in seconds."""

    changes: list[tuple[float, str]] = field(default_factory=list)
    samples: int = 0
    slowest: float = 0.0

    def note(self, at: float, value: str) -> None:
        """One sample."""
        self.samples += 1
        if not self.changes or self.changes[-1][1] != value:
            self.changes.append((at, value))

    @property
    def values(self) -> list[str]:
        """The answers in their order, each change once."""
        return [value for _, value in self.changes]

    @property
    def now(self) -> str:
        """The last one."""
        return self.changes[-1][1] if self.changes else ""

    def first(self, value: str, after: float = 0.0) -> float | None:
        """When it changed to `value` for the first time after `after`."""
        return next((at for at, found in self.changes if found == value and at >= after), None)


class Watch:
    """`tracks` by path, and `phase`: the phases of the pod's processes. `pids`: all that were seen.

    Args:
        locate: the address to ask. When nothing answers, it is called again: a pod that was replaced has another one.
    """

    def __init__(self, locate: Callable[[], str]) -> None:
        self._locate = locate
        self._url = locate()
        self._lost = threading.Event()
        self.tracks = {path: Track() for path in PATHS}
        self.phase = Track()
        self.first_pids: set[int] = set()
        self.pids: set[int] = set()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(path,), daemon=True) for path in PATHS]

    def start(self) -> None:
        """Begin to look."""
        for thread in self._threads:
            thread.start()
        threading.Thread(target=self._follow, daemon=True).start()

    def know(self) -> None:
        """Count the processes seen so far as those that were there first: replicas that a drill has added."""
        self.first_pids |= self.pids

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, path: str) -> None:
        track = self.tracks[path]
        while not self._stop.is_set():
            began = time.monotonic()
            status, body = self._ask(path)
            took = time.monotonic() - began
            if status:
                track.slowest = max(track.slowest, took)
            track.note(began, str(status or NONE))
            if path == "/startupz":
                self._note_processes(began, body)
            self._stop.wait(max(0.0, PERIOD - took))

    def _follow(self) -> None:
        while not self._stop.wait(LOOK_AGAIN):
            if self._lost.is_set():
                with suppress(StackError):  # it is nowhere yet
                    self._url = self._locate()
                self._lost.clear()

    def _ask(self, path: str) -> tuple[int, bytes]:
        """Status and body; 0 when there was no answer in time."""
        address = urlsplit(self._url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=TIMEOUT)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self._lost.set()
            return 0, b""
        finally:
            connection.close()

    def _note_processes(self, at: float, body: bytes) -> None:
        processes: list[dict[str, Any]] = []
        with suppress(ValueError, KeyError):
            processes = json.loads(body)["processes"]
        self.phase.note(at, " ".join(sorted(str(each["phase"]) for each in processes)) or NONE)
        found = {each["pid"] for each in processes if each["pid"]}  # 0 is a slot whose process has not begun
        self.first_pids = self.first_pids or found
        self.pids |= found
