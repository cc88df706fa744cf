"""Mistakes in declarations are found when they are made, or at the latest at start; none waits for a user."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from warmstart import Lifecycle, Resource, ServiceSettings, install, opened


@asynccontextmanager
async def nothing(app: FastAPI) -> AsyncIterator[str]:
    """Opens at once."""
    yield "nothing"


def not_async(value: object) -> None:
    """A check that nobody could await."""


def start(app: FastAPI, *resources: Resource[Any]) -> None:
    """Start and stop an application with these resources."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Lifecycle(app, resources, ServiceSettings()):
            yield

    app.router.lifespan_context = lifespan
    install(app, ServiceSettings())
    with TestClient(app):
        """It is ready."""


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (lambda: Resource("model", nothing, check=not_async), "check"),  # type: ignore[arg-type]
        (lambda: Resource("model", nothing, after="ab"), "after"),  # type: ignore[arg-type]
        (lambda: Resource("", nothing), "name"),
    ],
)
def test_a_mistake_in_a_resource_is_named(declare: Callable[[], Resource[Any]], said: str) -> None:
    """A check that isn't async, a string as `after`, an empty name: TypeError or ValueError, with the parameter."""
    with pytest.raises((TypeError, ValueError), match=said):
        start(FastAPI(), declare(), Resource("a", nothing), Resource("b", nothing))


def test_a_route_that_needs_what_nobody_declared_ends_the_start() -> None:
    """`opened` of a resource that the lifecycle doesn't have is an error at start which names the resource."""
    app = FastAPI()

    @app.get("/")
    async def route(value: Annotated[str, Depends(opened(Resource("stranger", nothing)))]) -> str:
        return value

    with pytest.raises(Exception, match="stranger"):
        start(app, Resource("friend", nothing))
