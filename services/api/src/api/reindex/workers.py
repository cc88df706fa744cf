"""The workers of both models, told apart by the space that they serve: their roles change while a model is replaced."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from api.settings import ApiSettings
from api.worker_client import WorkerClient
from api.worker_secret import WorkerSecret
from contract.model import ModelInfo
from warmstart.errors import DependencyUnavailable

LOOK = 2.0  # seconds for a worker to describe its model


class Workers:
    """Clients of `WORKER_URL` and `NEXT_WORKER_URL`."""

    def __init__(self, *clients: tuple[str, WorkerClient]) -> None:
        self._clients = clients

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: ApiSettings) -> AsyncIterator[Self]:
        """Clients that don't wait for a worker themselves."""
        now, following = settings.worker_url, settings.next_worker_url
        first, second = (WorkerClient(url, secret=WorkerSecret(settings)) for url in (now, following))
        async with first, second:
            yield cls((now, first), (following, second))

    async def serving(self) -> ModelInfo:
        """The model at `WORKER_URL`. Raises DependencyUnavailable."""
        return await _describe(*self._clients[0])

    async def following(self) -> ModelInfo:
        """The model at `NEXT_WORKER_URL`. Raises DependencyUnavailable."""
        return await _describe(*self._clients[1])

    async def of(self, space: str, name: str) -> WorkerClient:
        """One that serves the space now; people know its model by `name`. Raises DependencyUnavailable for none."""
        found = []
        for url, client in self._clients:
            try:
                model = await _describe(url, client)
            except DependencyUnavailable as error:
                found.append(error.message)
            else:
                if model.space == space:
                    return client
                found.append(f"the worker at {url} serves {model.model}")
        raise DependencyUnavailable(f"the model {name}", "; ".join(found))


async def _describe(url: str, client: WorkerClient) -> ModelInfo:
    try:
        async with asyncio.timeout(LOOK):
            await client.refresh()
    except TimeoutError as error:
        raise DependencyUnavailable(f"the worker at {url}", "no answer in time") from error
    except DependencyUnavailable as error:
        raise DependencyUnavailable(f"the worker at {url}", error.reason) from error
    return client.model
