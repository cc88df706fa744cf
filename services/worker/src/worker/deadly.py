"""A query of death, for drills: a text whose forward pass ends the process, as a bug in a native library does."""

import os
from collections.abc import Sequence
from signal import SIGKILL

from warmstart.faults import Switches
from worker.engines.base import Engine, TokenIds


class DeadlyText:
    """Obeys the fault switch `deadly_text`."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches

    def before_pass(self, engine: Engine, inputs: Sequence[TokenIds]) -> None:
        """Kill this process if one of the texts holds the deadly one."""
        text = self._switches.now.deadly_text
        if not text:
            return
        special = set(engine.from_ids([]))
        marker = [each for each in engine.encode([text])[0] if each not in special]
        if any(_holds(ids, marker) for ids in inputs):
            os.kill(os.getpid(), SIGKILL)


def _holds(ids: TokenIds, marker: TokenIds) -> bool:
    """Whether the marker's tokens stand in the ids, one after the other."""
    return any(ids[start : start + len(marker)] == marker for start in range(len(ids)))
