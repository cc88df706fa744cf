"""The one state of a process: what its readiness, its gate and its entry on the board are read off."""

import math
from dataclasses import dataclass, replace

from warmstart.lifecycle.phase import Phase


@dataclass(frozen=True)
class State:
    """The phases that a process went through, and since when it wants to leave (by the system's monotonic clock)."""

    phases: tuple[Phase, ...] = (Phase.STARTING,)
    leaving_since: float = math.inf

    @property
    def phase(self) -> Phase:
        """The one it is in."""
        return self.phases[-1]

    @property
    def ready(self) -> bool:
        """Whether it takes new clients."""
        return self.phase is Phase.READY

    @property
    def was_ready(self) -> bool:
        """Whether it has clients: one that drains or failed still serves them."""
        return Phase.READY in self.phases

    @property
    def leaving(self) -> bool:
        """Whether it will stop, or has."""
        return self.leaving_since < math.inf or self.phase not in (Phase.STARTING, Phase.WARMING, Phase.READY)

    def then(self, phase: Phase) -> "State":
        """The state in the next phase. Raises IllegalTransition when it can't follow on this one."""
        return replace(self, phases=(*self.phases, self.phase.then(phase)))

    def wanting_to_leave(self, since: float) -> "State":
        """The state of one that serves on until others are ready in its place."""
        return replace(self, leaving_since=since)
