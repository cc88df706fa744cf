"""What one drill claims: the fault, what the probes and the clients see of it, and the control that must fail."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypedDict

from stack import Part

Settings = Mapping[Part, Mapping[str, str]]
Engine = Literal["fake", "auto"]


@dataclass(frozen=True)
class Probes:
    """The answers of one service's probes over the whole drill, in the form of `drills.expected`."""

    live: str = "200"
    startup: str = "200"
    ready: str = "200"

    @property
    def by_path(self) -> Mapping[str, str]:
        """The same under the probes' paths."""
        return {"/livez": self.live, "/startupz": self.startup, "/readyz": self.ready}


STEADY = Probes()


@dataclass(frozen=True)
class Control:
    """The same drill without a protection; the fact named by `breaks` must then be violated.

    Settings take the protection away, or a function of `drills.controls` in a service.

    Attributes:
        bites: the signs of the fault that it must show, too, if it isn't cut short; None: all of the row's. The others
            need the protection, or come after the fact that ends the control.
    """

    without: str
    breaks: str
    settings: Settings = field(default_factory=dict)
    patches: Mapping[Part, str] = field(default_factory=dict)
    bites: tuple[str, ...] | None = None


class Differences(TypedDict, total=False):
    """What differs from a row on one kind of stack; see `Row`."""

    fault: str
    probes: Mapping[Part, Probes]
    bites: tuple[str, ...]
    restarts: Mapping[Part, int] | None
    clients: tuple[str, ...]
    radius: tuple[str, ...]
    starts: tuple[Part, ...]
    patches: Mapping[Part, str]


@dataclass(frozen=True)
class Row:
    """One row of the matrix.

    Attributes:
        name: of the drill; its function is `test_` and this name.
        claim: one sentence.
        fault: what is done, in a few words.
        probes: of which services, and what they answer.
        bites: the signs of the fault, without which the drill proves nothing: `clients` (a request failed), a probe
            that answered anything but 200 (`api /readyz`), a replaced process (`api restarts`), or what the scenario
            proves itself (`Drill.prove`).
        cluster: what Kubernetes does: a Service has no endpoints, the kubelet restarts, there is a new pod.
        elsewhere: what differs on a kind of stack.
        starts: services that the drill starts itself: before it, they run without its settings.
        restarts: how many processes of a watched service are replaced; None: the drill, or an engine, replaces them.
        clients: kinds of failure that clients may see, as `drills.ledger.kind` names them; none: no request is lost.
        radius: the blast radius: names of the streams whose requests may fail. The drill is aborted when others do.
        in_flight: requests under way during the fault (an engine takes 0.2 s for a signal) may fail; counted apart.
        exit_code: of the service that ends.
        engine: `fake` where the claim isn't about the model.
        settings: of the services, above those of all drills (`drills.system.BASE`).
        patches: functions of `drills.controls` that the drill itself needs in a service.
        detours: what the api reaches through a proxy that the scenario has break connections (`Drill.spoiled`).
        chat: whether the stand-in for a chat model runs, and the api is led to it.
        control: the same drill with a protection off.
        not_on: kinds of stack that can't run it, and why.
        needs: says why this machine can't run it without containers; None when it can.
    """

    name: str
    claim: str
    fault: str
    probes: Mapping[Part, Probes]
    bites: tuple[str, ...]
    cluster: str
    elsewhere: Mapping[str, Differences] = field(default_factory=dict)
    starts: tuple[Part, ...] = ()
    restarts: Mapping[Part, int] | None = field(default_factory=dict)
    clients: tuple[str, ...] = ()
    radius: tuple[str, ...] = ()
    in_flight: bool = False
    exit_code: int | None = None
    engine: Engine = "fake"
    settings: Settings = field(default_factory=dict)
    patches: Mapping[Part, str] = field(default_factory=dict)
    detours: tuple[Part, ...] = ()
    chat: bool = False
    control: Control | None = None
    not_on: Mapping[str, str] = field(default_factory=dict)
    needs: Callable[[], str | None] | None = None

    def on(self, kind: str) -> "Row":
        """The row as it is on a kind of stack."""
        return replace(self, **self.elsewhere.get(kind, Differences()))
