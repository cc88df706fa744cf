"""The three probes of a service, asked every 100 ms, and its processes by what `/startupz` says."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from stack.prober import NONE, Look, Prober, Track

PATHS = ("/livez", "/startupz", "/readyz")


class Watch(Prober):
    """`tracks` by path, and `phase`: the phases of the pod's processes. `pids`: all that were seen."""

    def __init__(self, locate: Callable[[], str]) -> None:
        super().__init__(locate, PATHS)
        self.phase = Track()
        self.first_pids: set[int] = set()
        self.pids: set[int] = set()

    def know(self) -> None:
        """Count the processes seen so far as those that were there first: replicas that a drill has added."""
        self.first_pids |= self.pids

    def note(self, path: str, look: Look, body: bytes) -> None:
        """See `Prober.note`."""
        super().note(path, look, body)
        if path == "/startupz":
            self._note_processes(look.at, body)

    def _note_processes(self, at: float, body: bytes) -> None:
        processes: list[dict[str, Any]] = []
        with suppress(ValueError, KeyError):
            processes = json.loads(body)["processes"]
        self.phase.note(Look(at, " ".join(sorted(str(each["phase"]) for each in processes)) or NONE))
        found = {each["pid"] for each in processes if each["pid"]}  # 0 is a slot whose process has not begun
        self.first_pids = self.first_pids or found
        self.pids |= found
