"""The phases of one process, and how one follows another."""

from collections.abc import Collection, Mapping
from enum import StrEnum


class Phase(StrEnum):
    """`starting → warming → ready → draining → stopped`, or `failed`."""

    STARTING = "starting"
    WARMING = "warming"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def serving(self) -> bool:
        """Whether a process in this phase still answers requests."""
        return self in (Phase.READY, Phase.DRAINING)

    def then(self, phase: "Phase") -> "Phase":
        """The next phase. Raises IllegalTransition when it can't follow this one."""
        if phase not in FOLLOWING[self]:
            raise IllegalTransition(f"{self} -> {phase}")
        return phase


class IllegalTransition(Exception):
    """A process can't go from one phase to the other; the caller is wrong about its phase."""


FOLLOWING: Mapping[Phase, Collection[Phase]] = {
    Phase.STARTING: {Phase.WARMING},
    Phase.WARMING: {Phase.READY, Phase.DRAINING, Phase.STOPPED, Phase.FAILED},
    Phase.READY: {Phase.DRAINING, Phase.STOPPED, Phase.FAILED},
    Phase.DRAINING: {Phase.STOPPED},
    Phase.STOPPED: set(),
    Phase.FAILED: set(),
}
