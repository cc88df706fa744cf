"""A lifespan that is a lifecycle and nothing else, for applications in a test's own process."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI

from warmstart import Lifecycle, Resource, ServiceSettings


def lifespan_of(
    settings: ServiceSettings, resources: Sequence[Resource[Any]] = ()
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """For `FastAPI(lifespan=…)`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Lifecycle(app, resources, settings):
            yield

    return lifespan
