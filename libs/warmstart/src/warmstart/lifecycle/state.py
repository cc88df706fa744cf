"""The one state of a process, from which its readiness, its gate and its entry on the board follow."""

import math
from dataclasses import dataclass, replace

from warmstart.lifecycle.phase import Phase


@dataclass(frozen=True)
class State:
    """The phases of a process so far, and since when it wants to leave (by the system's monotonic clock)."""

    phases: tuple[Phase, ...] = (Phase.STARTING,)
    leaving_since: float = math.inf

    @property
    def phase(self) -> Phase:
        """The current phase."""
        return self.phases[-1]

    @property
    def ready(self) -> bool:
        """Whether the process takes new clients."""
        return self.phase is Phase.READY

    @property
    def was_ready(self) -> bool:
        """Whether the process has clients: while it drains or has failed, it still serves them."""
        return Phase.READY in self.phases

    @property
    def leaving(self) -> bool:
        """Whether the process will stop, or has stopped."""
        return self.leaving_since < math.inf or self.phase not in (Phase.STARTING, Phase.WARMING, Phase.READY)

    def then(self, phase: Phase) -> "State":
        """The state in the next phase. Raises IllegalTransition when the phase can't follow."""
        return replace(self, phases=(*self.phases, self.phase.then(phase)))

    def wanting_to_leave(self, since: float) -> "State":
        """The state of a process that serves until others are ready in its place."""
        return replace(self, leaving_since=since)
