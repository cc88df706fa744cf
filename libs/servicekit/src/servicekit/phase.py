"""The phases of one process."""

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
