"""The one rule that decides whether a pod is ready, from the board and this process."""

from collections.abc import Collection
from dataclasses import dataclass

from warmstart.lifecycle.lifespan import Lifecycle
from warmstart.lifecycle.phase import Phase

LIFECYCLE = "lifecycle"


@dataclass(frozen=True)
class Check:
    """One line of `/readyz?verbose`."""

    name: str
    failure: str | None
    gates: bool

    def __str__(self) -> str:
        return self.line()

    def line(self, *, withheld: bool = False) -> str:
        """The line, for some callers with a `withheld` reason, as kube-apiserver has it."""
        if self.failure is None:
            return f"[+]{self.name} ok"
        why = "reason withheld" if withheld else self.failure
        return f"[-]{self.name} failed: {why}{'' if self.gates else ' (not gating)'}"


def checks(lifecycle: Lifecycle) -> list[Check]:
    """Every check of the pod, `lifecycle` first.

    A resource is healthy while as many ready processes as the pod needs see it so. It gates when only this pod can lose
    it, or when it is required, the policy is `coupled`, and it doesn't say that it never gates. Of resources that only
    this pod can lose, a process needs all: one that has lost another of them doesn't count.
    """
    entries = lifecycle.place.entries()
    ready = [entry for entry in entries if entry.phase in _ready_phases(lifecycle)]
    seen_by = ready or entries
    needed = min(lifecycle.settings.min_ready_processes, len(seen_by))
    local = {name for name, each in lifecycle.supervisors.items() if each.resource.gates}
    usable = [entry for entry in seen_by if local.isdisjoint(entry.failures)]
    found = [Check(LIFECYCLE, _lifecycle_failure(lifecycle, len(ready)), gates=True)]
    for name, supervisor in lifecycle.supervisors.items():
        reasons = [entry.failures[name] for entry in seen_by if name in entry.failures]
        left = len(usable) if name in local else len(seen_by) - len(reasons)
        failure = reasons[0] if reasons and left < needed else None
        coupled = supervisor.resource.required and lifecycle.settings.readiness_policy == "coupled"
        gates = coupled if supervisor.resource.gates is None else supervisor.resource.gates
        found.append(Check(name, failure, gates))
    return found


def is_ready(found: Collection[Check], exclude: Collection[str] = ()) -> bool:
    """Whether no gating check fails; the check `lifecycle` can't be excluded."""
    return not any(
        check.failure and check.gates and (check.name == LIFECYCLE or check.name not in exclude) for check in found
    )


def _ready_phases(lifecycle: Lifecycle) -> Collection[Phase]:
    """The phases that count as ready.

    With `DRAIN_READYZ=200` a process that was asked to leave counts until its listener closes. A process that failed
    never counts (it is FAILED, not DRAINING, while it drains), nor does one that leaves before it was ready (it is
    STOPPED at once).
    """
    return {Phase.READY, Phase.DRAINING} if lifecycle.settings.drain_readyz == "200" else {Phase.READY}


def _lifecycle_failure(lifecycle: Lifecycle, ready: int) -> str | None:
    for plugin in lifecycle.plugins:
        if why := plugin.unready():
            return why
    if not lifecycle.place.first_ready:
        return f"{lifecycle.phase}: {ready} of {lifecycle.place.expected} processes ready"
    if ready < lifecycle.settings.min_ready_processes:
        return f"{lifecycle.phase}: {ready} of at least {lifecycle.settings.min_ready_processes} processes ready"
    return None
