"""Pods as the API server describes them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

PART_LABEL = "app.kubernetes.io/name"


@dataclass(frozen=True)
class Pod:
    """One pod of a part: what it says of the container of that name. `ready` is the whole pod.

    `exit_code` is that of its last main process, None while one runs or if none ever did; `before` that of the one
    before this one, if the container was started again; `waiting` says why none runs.
    """

    name: str
    part: str
    ip: str
    leaving: bool
    running: bool
    ready: bool
    restarts: int
    exit_code: int | None
    before: int | None
    waiting: str
    unschedulable: str

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """From one item of `kubectl get pods --output json`."""
        metadata, status = found["metadata"], found["status"]
        part = metadata["labels"].get(PART_LABEL, "")
        container = _named(status.get("containerStatuses", []), part)
        state, last = container.get("state", {}), container.get("lastState", {})
        conditions = {each["type"]: each for each in status.get("conditions", [])}
        scheduled = conditions.get("PodScheduled", {})
        running = "running" in state
        ended = state.get("terminated") or last.get("terminated") or {}
        return cls(
            name=metadata["name"],
            part=part,
            ip=status.get("podIP", ""),
            leaving="deletionTimestamp" in metadata,
            running=running,
            ready=conditions.get("Ready", {}).get("status") == "True",
            restarts=container.get("restartCount", 0),
            exit_code=None if running else ended.get("exitCode"),
            before=last.get("terminated", {}).get("exitCode"),
            waiting=_waiting(status.get("initContainerStatuses", []), state),
            unschedulable=scheduled.get("message", "") if scheduled.get("status") == "False" else "",
        )

    def describe(self, event: str) -> str:
        """One line: its state, or why it doesn't run, with its last warning."""
        if self.leaving:
            what = "leaving"
        elif self.ready:
            what = "ready"
        elif self.running:
            what = "not ready"
        else:
            what = self.waiting or "pending"
        code = "" if self.exit_code is None else f", last exit code {self.exit_code}"
        restarts = f", restarted {self.restarts} times" if self.restarts else ""
        why = "" if self.ready else self.unschedulable or event
        return f"{what}{code}{restarts}{': ' if why else ''}{why}"


def _named(containers: Iterable[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    return next((each for each in containers if each["name"] == name), {})


def _waiting(initial: Iterable[Mapping[str, Any]], state: Mapping[str, Any]) -> str:
    for each in (*(one.get("state", {}) for one in initial), state):
        if reason := each.get("waiting", {}).get("reason"):
            return str(reason)
    return str(state.get("terminated", {}).get("reason", ""))


def last_warning(events: Iterable[Mapping[str, Any]], pod: str) -> str:
    """The newest warning about a pod, from `kubectl get events --output json`; empty if there is none."""
    own = [each for each in events if each["type"] == "Warning" and each["involvedObject"].get("name") == pod]
    newest = max(own, key=_when, default=None)
    return str(newest["message"]).partition("\n")[0] if newest else ""


def _when(event: Mapping[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp"))
