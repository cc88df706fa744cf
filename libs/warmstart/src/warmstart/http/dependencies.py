"""How routes reach resources, with their type: `Annotated[AsyncEngine, Depends(opened(POSTGRES))]`.

This works in HTTP routes, WebSockets and mounted applications. The dependency of one resource is always the same
object, so that `app.dependency_overrides[opened(POSTGRES)]` replaces it everywhere. Without a `Lifecycle`, as in a test
that replaces the lifespan, the value is `app.state.<name>`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from starlette.datastructures import State
from starlette.requests import HTTPConnection

from warmstart.errors import DependencyUnavailable
from warmstart.http.owner import state_of
from warmstart.lifecycle.lifespan import Lifecycle
from warmstart.lifecycle.resources import Resource

T = TypeVar("T")


@dataclass(frozen=True)
class Opened(Generic[T]):
    """The dependency of one resource."""

    resource: Resource[T]

    async def __call__(self, connection: HTTPConnection) -> T:
        """What was opened. Raises DependencyUnavailable while it is not open and healthy."""
        state = state_of(connection)
        lifecycle: Lifecycle | None = state.lifecycle
        return lifecycle.value(self.resource) if lifecycle else _put_by_hand(state, self.resource)


@dataclass(frozen=True)
class OpenedOrNone(Generic[T]):
    """The dependency of one resource that a route can do without."""

    resource: Resource[T]

    async def __call__(self, connection: HTTPConnection) -> T | None:
        """What was opened, or None."""
        try:
            return await Opened(self.resource)(connection)
        except DependencyUnavailable:
            return None


def opened(resource: Resource[T]) -> Callable[[HTTPConnection], Awaitable[T]]:
    """A dependency that gives what `resource` opened, or a typed 503 while it is not open and healthy.

    The cached health sample decides, so that a request for a hung dependency fails at once. Raises TypeError for
    anything but a Resource; if the `Lifecycle` does not open the resource, its start fails.
    """
    only: Opened[T] = _only(Opened, _checked(resource))
    return only


def opened_or_none(resource: Resource[T]) -> Callable[[HTTPConnection], Awaitable[T | None]]:
    """A dependency that is what `resource` opened, or None while it is not open and healthy."""
    only: OpenedOrNone[T] = _only(OpenedOrNone, _checked(resource))
    return only


@cache
def _only(kind: Callable[[Resource[Any]], Any], resource: Resource[Any]) -> Any:
    return kind(resource)


def _checked(resource: Resource[T]) -> Resource[T]:
    if not isinstance(resource, Resource):
        raise TypeError(f"opened({resource!r}): give the Resource itself, as it is declared")
    return resource


def _put_by_hand(state: State, resource: Resource[T]) -> T:
    if not hasattr(state, resource.name):
        raise DependencyUnavailable(resource.name, "not open: the application's lifespan has not run")
    value: T = getattr(state, resource.name)
    return value
