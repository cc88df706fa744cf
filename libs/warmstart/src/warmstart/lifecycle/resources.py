"""The declaration of a resource: what a service says about each thing that it opens."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import Any, Generic, Protocol, TypeVar

from warmstart.lifecycle import mistakes

T_co = TypeVar("T_co", covariant=True)  # so that resources of different types make a list of resources


class Application(Protocol):
    """The object that has resources: FastAPI, Starlette, or any object whose `state` takes attributes."""

    state: Any


class ResourceState(StrEnum):
    """The state of one resource of this process."""

    PENDING = "pending"
    OPENING = "opening"
    RETRYING = "retrying"
    READY = "ready"
    DEGRADED = "degraded"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True)
class Resource(Generic[T_co]):
    """One thing that is opened at start and closed at stop.

    `open(app)` makes one attempt, proves that the resource works, and yields the value for `app.state.<name>`.
    `check(value)` runs in the background, and raises when the resource is unhealthy. `gates` is for a resource that
    only this process can lose, such as its model: while its check fails, the process is unready under each policy, and
    when that lasts for `HEAL_TIMEOUT`, the process fails and is replaced. A resource that several replicas share, such
    as a database, must not gate: all replicas would be unready at once, and to replace them would not help. With
    `gates=False` a required resource doesn't gate under `READINESS_POLICY=coupled` either.
    `describe(value)` is a short text about the value, for `/startupz`. A required resource is retried until
    `STARTUP_TIMEOUT`, an optional one is reported degraded and opened later; neither after a programming error. What
    was opened stays open while its check fails, and so must reconnect by itself. When its context manager ends before
    its close, an optional resource that doesn't gate is opened again, and without another one the process fails.
    `after` names resources that must first be open, or have failed if they are optional. `timeout` limits one attempt,
    in seconds; by default only `STARTUP_TIMEOUT` does. Routes and background tasks get the value with its type from
    `Lifecycle.value(resource)`.

    Raises TypeError for a declaration that can't work, naming each mistake.
    """

    name: str
    open: Callable[[Any], AbstractAsyncContextManager[T_co]]
    check: Callable[[T_co], Awaitable[None]] | None = None
    gates: bool | None = None
    describe: Callable[[T_co], str] | None = None
    required: bool = True
    after: tuple[str, ...] = ()
    timeout: float | None = None

    def __post_init__(self) -> None:
        found = [
            *mistakes.of_name(self.name),
            *mistakes.of_open(self.open),
            *mistakes.of_check(self.check, gates=bool(self.gates)),
            *mistakes.of_describe(self.describe),
            *mistakes.of_after(self.after),
            *mistakes.of_timeout(self.timeout),
            *mistakes.of_flags(gates=False if self.gates is None else self.gates, required=self.required),
        ]
        if found:
            raise TypeError(f"Resource({self.name!r}): {'; '.join(found)}")


def validate(resources: Sequence[Resource[Any]]) -> None:
    """Raise for what one declaration can't show.

    TypeError for what is no sequence of resources; ValueError for a repeated name, an unknown one in `after`, or a
    cycle.
    """
    if isinstance(resources, Resource) or not all(isinstance(each, Resource) for each in resources):
        raise TypeError(f"a lifecycle takes a sequence of Resource(…), not {resources!r}")
    names = [each.name for each in resources]
    if len(set(names)) < len(names):
        raise ValueError(f"resource names must be unique: {names}")
    for each in resources:
        if unknown := set(each.after) - set(names):
            raise ValueError(f"Resource({each.name!r}): it comes after unknown ones: {sorted(unknown)}")
    try:
        TopologicalSorter({each.name: each.after for each in resources}).prepare()
    except CycleError as error:
        raise ValueError(f"resources come after each other: {error.args[1]}") from error
