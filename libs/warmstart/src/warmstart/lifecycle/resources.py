"""What a service declares about each thing it opens."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import Any, Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)  # so that resources of different types make a list of resources


class ResourceState(StrEnum):
    """Where one resource of this process stands."""

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

    `open(app)` makes one attempt and yields the value that then sits on `app.state.<name>`; it must have proven
    the resource by then. `check(value)` raises when the resource is unhealthy; it is sampled in the background.
    `gates`: only this process can lose it, as its model: while its check fails, the process is unready whatever the
    policy says, and when that lasts for `HEAL_TIMEOUT`, the process fails and is replaced. What several replicas share,
    as a database, must not gate: all would be unready at once, and replacing them would mend nothing.
    `describe(value)` says in a word what was opened, for `/startupz`. A required resource is retried until
    `STARTUP_TIMEOUT`, an optional one is reported degraded and reopened later. `after`
    names resources that are settled first. `timeout` limits one attempt, in seconds; by default nothing but
    `STARTUP_TIMEOUT` does. Routes and background tasks get the value with its type from `Lifecycle.value(resource)`.
    """

    name: str
    open: Callable[[Any], AbstractAsyncContextManager[T_co]]
    check: Callable[[T_co], Awaitable[None]] | None = None
    gates: bool = False
    describe: Callable[[T_co], str] | None = None
    required: bool = True
    after: tuple[str, ...] = ()
    timeout: float | None = None


RESERVED = frozenset({"lifecycle", "ready", "settings"})


def validate(resources: Sequence[Resource[Any]]) -> None:
    """Raise ValueError for a reserved or repeated name, an unknown one in `after`, a cycle, or a gate without check."""
    names = [resource.name for resource in resources]
    if len(set(names)) < len(names) or RESERVED.intersection(names):
        raise ValueError(f"resource names must be unique and none of {sorted(RESERVED)}: {names}")
    if unchecked := [resource.name for resource in resources if resource.gates and not resource.check]:
        raise ValueError(f"resources gate readiness, but have no check: {unchecked}")
    unknown = {name for resource in resources for name in resource.after} - set(names)
    if unknown:
        raise ValueError(f"resources come after unknown ones: {sorted(unknown)}")
    try:
        TopologicalSorter({resource.name: resource.after for resource in resources}).prepare()
    except CycleError as error:
        raise ValueError(f"resources come after each other: {error.args[1]}") from error
