"""How routes reach what was opened: `Annotated[Engine, Depends(opened("postgres"))]`."""

from collections.abc import Callable
from typing import Any

from fastapi import Request

from warmstart.errors import DependencyUnavailable


def opened(name: str) -> Callable[[Request], Any]:
    """A dependency that is the resource's value, or a typed 503 while it is not open and healthy.

    The cached health sample answers, so that a request for a hung dependency fails at once.
    """

    async def value(request: Request) -> Any:
        if failure := request.app.state.lifecycle.failure(name):
            raise DependencyUnavailable(name, failure)
        return getattr(request.app.state, name)

    return value


def opened_or_none(name: str) -> Callable[[Request], Any]:
    """A dependency that is the resource's value, or None while it is not open and healthy."""

    async def value(request: Request) -> Any:
        return None if request.app.state.lifecycle.failure(name) else getattr(request.app.state, name)

    return value
