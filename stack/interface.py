"""The interface to a running system for drills, load tests and people, on every kind of stack."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from signal import Signals
from typing import Literal, Self

import psutil

from stack.toxic.toxics import Toxic, dumps, latest, loads

Part = Literal["postgres", "valkey", "worker", "worker-next", "chat", "api"]

# In the order in which they start.
EVERY: tuple[Part, ...] = ("postgres", "valkey", "worker", "worker-next", "chat", "api")

# Workers of another model, there only while it replaces the served one: see `Stack.start_next`.
NEXT: Part = "worker-next"

# The stand-in for a chat model, there only when it is asked for: see `stack.demo_chat`.
CHAT: Part = "chat"

# The whole system, as long as no model is being replaced.
PARTS: tuple[Part, ...] = ("postgres", "valkey", "worker", "api")
SERVICES: tuple[Part, ...] = ("worker", "api")

# What the api needs, and the variables that say where it is.
ADDRESSES: Mapping[Part, str] = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL", "worker": "WORKER_URL"}

NOTHING: Mapping[str, str] = {}


def in_order(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The same parts in the order in which they start, each once."""
    wanted = frozenset(parts)
    return tuple(part for part in EVERY if part in wanted)


@dataclass(frozen=True)
class PartStatus:
    """One part as it is now.

    `exit_code` is that of the last main process, None while one runs or if none ever did;
    128 + N means that signal N ended it. In a cluster, which starts it again at once, it stays until the part is ready.
    """

    part: Part
    running: bool
    ready: bool
    detail: str
    pid: int | None
    exit_code: int | None
    hopeless: bool = False  # it will never become ready


def shown(found: Iterable[PartStatus]) -> list[PartStatus]:
    """What `status` tells of every part."""
    return [each for each in found if each.part in PARTS or each.running]


class Stack(ABC):
    """A system of four parts, with more while a model is replaced, or where a chat model is stood in for.

    As a context manager it is up inside and down after.
    """

    parts: tuple[Part, ...]  # the parts that `up` starts
    detoured = False  # whether the api that `up` or `start` starts goes through all its detours (see `detour`)
    breakable = "make down, then FAULTS_ENABLED=1 make up"  # what makes fault switches and toxics obeyed
    local = True  # whether `pids` are those of this machine
    ending = "make down     stops it; documents stay"  # what `up` says of `down`
    left = "documents of the {kind} stack, if it has any, stay there"  # what `up` of another kind says of this one

    @abstractmethod
    def up(self) -> None:
        """Start every part that doesn't run, migrate, and return when all are ready.

        Raises:
            StackError: a part didn't become ready; what this call started is stopped again.
        """

    @abstractmethod
    def down(self) -> None:
        """Stop every part that runs, and forget what was broken on purpose; data stays."""

    @abstractmethod
    def discard(self) -> None:
        """Stop every part and delete its data."""

    @abstractmethod
    def start(self, part: Part, *, wait: bool = True, environment: Mapping[str, str] = NOTHING) -> None:
        """Start one part, by default until it is ready; `environment` is for this process only.

        Raises:
            StackError: it runs already, its port is taken, or it didn't become ready.
        """

    @abstractmethod
    def stop(self, part: Part) -> int | None:
        """Stop one part gracefully, killing it if its grace runs out.

        Returns:
            The exit code of its main process (128 + N: ended by signal N), None if it never ran.
        """

    def restart(self, part: Part, *, wait: bool = True, environment: Mapping[str, str] = NOTHING) -> int | None:
        """Stop and start one part; returns the exit code of the process that was stopped."""
        code = self.stop(part)
        self.start(part, wait=wait, environment=environment)
        return code

    @abstractmethod
    def migrate(self) -> None:
        """Bring the database to the newest schema; `up` does it before it starts the api."""

    @abstractmethod
    def next_model(self) -> str:
        """The model that `start_next` named; empty after `stop_next`."""

    @abstractmethod
    def next_serves(self) -> bool | None:
        """Whether searches use `next_model`; None while no model is being replaced. Raises StackError: unknown."""

    @abstractmethod
    def start_next(self, model: str) -> None:
        """Start `worker-next` beside the worker, until it is ready; `up` starts it too, until `stop_next`.

        Raises:
            StackError: it is there for a replacement by another model, or didn't become ready. Only if this call was
                the first to name the model, it is stopped then: later, searches may need it.
        """

    @abstractmethod
    def stop_next(self) -> None:
        """Stop `worker-next`, if it runs, and let `up` forget it."""

    @abstractmethod
    def adopt_next(self) -> None:
        """Make the worker serve `next_model`, now and after each `up`, while `worker-next` serves all searches.

        Raises:
            StackError: searches still need the worker's own model, or its model is somebody else's to change.
        """

    @abstractmethod
    def run_reindex(self, *arguments: str) -> int:
        """Run `python -m api.reindex` as the api would, on this process's terminal; returns its exit code."""

    @abstractmethod
    def signal(self, part: Part, sig: Signals) -> None:
        """Send a signal to the main process of a part: of a service, gunicorn's master."""

    @abstractmethod
    def pause(self, part: Part) -> None:
        """Freeze all processes of a part: connections stay open, nothing answers."""

    @abstractmethod
    def resume(self, part: Part) -> None:
        """Let a paused part go on."""

    @abstractmethod
    def signal_process(self, part: Part, sig: Signals) -> None:
        """Send a signal to one process of a service that serves requests: not gunicorn's master."""

    @abstractmethod
    def roll(self, part: Part) -> None:
        """Replace a service under load, with all its replicas: a new one is ready before an old one drains.

        Returns when the old ones are gone.

        Raises:
            StackError: it doesn't run, or the new one didn't become ready.
        """

    @abstractmethod
    def scale(self, part: Part, replicas: int) -> list[str]:
        """Run so many replicas of a service that runs, with the settings it was started with, until all are ready.

        Returns:
            The address of each replica itself.
        """

    def cut(self, part: Part) -> None:
        """Make a part unreachable for the others: take it off the network, or stop it where there is none."""
        self.stop(part)

    def mend(self, part: Part) -> None:
        """Undo `cut`; a part that others can reach stays as it is."""
        if not self.pids(part):
            self.start(part)

    def inject(self, part: Part, faults: Mapping[str, object]) -> None:
        """Turn the fault switches of a service (`warmstart.faults.Faults`); those not named are off.

        They are obeyed until `down`, if the stack was made with FAULTS_ENABLED=1, also by a service that starts later.
        """
        self.share(f"{part}.faults", json.dumps(dict(faults)))

    @abstractmethod
    def share(self, name: str, text: str) -> str:
        """Let the services read a file of this name, if the stack was made with FAULTS_ENABLED=1.

        Returns:
            The folder where they find it.
        """

    @abstractmethod
    def shared(self, name: str) -> str:
        """What `share` wrote last to a file of this name; empty if it never did."""

    def detour(self, part: Part) -> Mapping[str, str]:
        """Settings that lead an api through a proxy to one of `ADDRESSES`; starts the proxy if it doesn't run.

        An api that is started without them goes straight to the part, as ever. See `stack.toxic`, and `spoil`.

        Raises:
            StackError: the proxy can't be started.
        """
        if part not in self.detours():
            for each in ADDRESSES:  # what was left behind by the last one
                self.spoil(each, ())
            self.start_detours()
        return self.detours()[part]

    def own_detours(self, part: Part | None) -> dict[str, str]:
        """The settings of all detours for a part that goes through them: the api, if the stack is `detoured`."""
        wanted = ADDRESSES if self.detoured and part == "api" else ()
        return {name: value for each in wanted for name, value in self.detour(each).items()}

    @abstractmethod
    def detours(self) -> Mapping[Part, Mapping[str, str]]:
        """What `detour` returns for each part; nothing while the proxy doesn't run."""

    @abstractmethod
    def start_detours(self) -> None:
        """Start the proxy."""

    def has_detour(self, part: Part) -> bool:
        """Whether the api that runs reaches a part through the proxy. If not, toxics are of no effect."""
        settings = self.detours().get(part, NOTHING)
        return bool(settings) and settings.items() <= self.environment("api").items()

    def lacks_proxy(self) -> bool:
        """Whether the api that runs was led through a proxy that has ended. `up` starts it again; embedded only."""
        return False

    def spoil(self, part: Part, toxics: Iterable[Toxic]) -> None:
        """Have the proxy break the connections between the api and a part in this way; with no toxic, not at all.

        Of two toxics of a kind on a stream, the later one counts.
        """
        self.share(f"{part}.toxics", dumps(latest(toxics)))

    def toxics(self, part: Part) -> tuple[Toxic, ...]:
        """What `spoil` said last."""
        text = self.shared(f"{part}.toxics")
        return loads(text) if text else ()

    @abstractmethod
    def chat(self) -> Mapping[str, str]:
        """Settings that lead an api to the part `chat`."""

    @abstractmethod
    def url(self, part: Part) -> str:
        """The address of a part, with user and password where it takes them, without a closing slash."""

    def own_url(self, part: Part) -> str:
        """The address of a part itself, past any proxy between the part and `url`."""
        return self.url(part)

    def probe_url(self, part: Part) -> str:
        """The address of a service's probes, which answers also while it isn't ready and clients can't reach it."""
        return self.url(part)

    @abstractmethod
    def logs(self, part: Part) -> str:
        """Everything that a part has logged."""

    @abstractmethod
    def pids(self, part: Part) -> list[int]:
        """The processes of a part, the main one first; none if it doesn't run."""

    def environment(self, part: Part) -> Mapping[str, str]:
        """Variables that a running part was started with; none where they can't be read."""
        try:
            return psutil.Process(self.pids(part)[0]).environ()
        except (IndexError, psutil.Error):
            return NOTHING

    @abstractmethod
    def status(self) -> list[PartStatus]:
        """Every part of this stack, asked now, in the order of their start; `worker-next` only if it runs."""

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()
