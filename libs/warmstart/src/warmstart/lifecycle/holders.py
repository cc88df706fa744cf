"""All resources of a process: opened concurrently, and closed in reverse order."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from warmstart.lifecycle.resources import Application, Resource
from warmstart.lifecycle.supervisor import Supervisor
from warmstart.settings.service import ServiceSettings

log = logging.getLogger("warmstart.resources")


class Holders:
    """A supervisor for each resource.

    `changed()` is called whenever the state or health of one changes, `lost(why, error)` when the process can't go on.
    """

    def __init__(
        self,
        resources: Sequence[Resource[Any]],
        app: Application,
        settings: ServiceSettings,
        changed: Callable[[], None],
        lost: Callable[[str, BaseException | None], None],
    ) -> None:
        self._changed, self._lost = changed, lost
        made = (Supervisor(each, app, settings, self._note, self._give_up) for each in resources)
        self.supervisors = {each.resource.name: each for each in made}
        self._opened: list[Supervisor] = []

    def open(self, *, give_up: bool) -> None:
        """Begin to open all resources; with `give_up`, a resource whose opening can't succeed is given up."""
        for each in self.supervisors.values():
            each.start([self.supervisors[name] for name in each.resource.after], give_up=give_up)

    async def settled(self) -> None:
        """Wait until each resource is open, or is optional and has failed."""
        for each in self.supervisors.values():
            await each.settled.wait()

    def waits_for_required(self) -> bool:
        """Whether a required resource has not opened yet."""
        return any(each.resource.required for each in self._unsettled())

    def go_on(self, after: float) -> None:
        """Wait no longer for optional resources, which go on opening."""
        for each in self._unsettled():
            if not each.resource.required:
                log.warning("%s is %s after %g s: the start goes on without it", each.resource.name, each.state, after)
                each.settled.set()

    async def close(self, budget: float) -> None:
        """Close in reverse order within `budget` seconds; a slow closer can't take the others' time."""
        ends = time.monotonic() + budget
        unopened = [each for each in self.supervisors.values() if each not in self._opened]
        for left, each in reversed(list(enumerate([*self._opened, *unopened], start=1))):
            await each.close(max(0.0, ends - time.monotonic()) / left)

    def failures(self) -> dict[str, str]:
        """The reason, by name, why a resource can't be used now."""
        return {name: each.failure for name, each in self.supervisors.items() if each.failure}

    def missing(self) -> list[str]:
        """A line for each resource that readiness waits for."""
        unsettled = self._unsettled()
        waited = (each for each in self.supervisors.values() if each.resource.required or each in unsettled)
        return [_told(each) for each in waited if each.failure]

    def _unsettled(self) -> list[Supervisor]:
        return [each for each in self.supervisors.values() if not each.settled.is_set()]

    def _note(self, supervisor: Supervisor) -> None:
        if supervisor.is_open and supervisor not in self._opened:
            self._opened.append(supervisor)
        self._changed()

    def _give_up(self, supervisor: Supervisor, error: BaseException | None) -> None:
        self._lost(_told(supervisor), error)


def _told(supervisor: Supervisor) -> str:
    return f"{supervisor.resource.name} {supervisor.failure} (attempt {supervisor.attempts})"
