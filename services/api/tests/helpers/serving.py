"""The api in this process, on a stand-in for its worker."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from api.chat.resource import CHAT
from api.resources import POSTGRES
from api.settings import ApiSettings
from api.worker_client import WorkerClient, check_worker
from services.api.tests.helpers.standin import StandIn
from warmstart import Resource


@contextmanager
def on(standin: StandIn, **settings: Any) -> Iterator[TestClient]:
    """An api with this worker and no cache; without a `database_url` it has no documents, either.

    With a `chat_url` it has chats.
    """

    @asynccontextmanager
    async def open_worker(app: FastAPI) -> AsyncIterator[WorkerClient]:
        async with standin.running() as worker, WorkerClient(worker.url, app.state.settings.worker_patience) as client:
            await client.refresh()
            yield client

    @asynccontextmanager
    async def nothing(_: FastAPI) -> AsyncIterator[None]:
        yield None

    resources: list[Resource[Any]] = [Resource("worker", open_worker, check=check_worker)]
    resources += [Resource("redis", nothing), Resource("replacement", nothing)]
    resources += [POSTGRES] if "database_url" in settings else []
    resources += [CHAT] if "chat_url" in settings else []
    asked = ApiSettings(**{"drain_seconds": 0, "worker_patience": 0, **settings})
    with TestClient(create_app(asked, resources)) as client:
        yield client
