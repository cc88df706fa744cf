"""Asks the three probes of a service every 100 ms, and counts its processes by `/startupz`."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from stack.operator_key import operator_headers
from stack.prober import NONE, Look, Prober, Track

PATHS = ("/livez", "/startupz", "/readyz")


class Watch(Prober):
    """`tracks` by path, and `phase`: the phases of the pod's processes. `pids`: all processes seen so far."""

    def __init__(self, locate: Callable[[], str]) -> None:
        super().__init__(locate, PATHS, more=operator_headers())
        self.phase = Track()
        self.first_pids: set[int] = set()
        self.pids: set[int] = set()

    def know(self) -> None:
        """Count the processes seen so far as present from the beginning: replicas that a drill has added."""
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
        found = {each["pid"] for each in processes if each["pid"]}  # 0 is a slot whose process has not started
        self.first_pids = self.first_pids or found
        self.pids |= found
