"""What the service opens: a slow model, a database, a Redis that is down, an upstream."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Annotated, ClassVar

import aiohttp
from fastapi import Depends, FastAPI
from redis.asyncio import Redis

from warmstart import Resource, ServiceSettings, opened, opened_or_none


class Settings(ServiceSettings):
    """Where its dependencies are; how long the model loads, in seconds, or until `released` is there; what fails."""

    folder: Path = Path()
    redis_url: str = "redis://127.0.0.1:1"
    upstream_url: str = "http://127.0.0.1:1"
    load_seconds: float = 12
    held: bool = False
    load_timeout: float | None = None
    load_error: str = ""
    open_home: bool = False


class Model:
    """As joblib loads one: in a thread that nothing can interrupt. `loads` has a line a load: how many ran then."""

    loading: ClassVar[list[int]] = []

    def __init__(self, settings: Settings) -> None:
        self.loading.append(threading.get_ident())
        with (settings.folder / "loads").open("a") as loads:
            loads.write(f"{len(self.loading)}\n")
        time.sleep(settings.load_seconds)
        while settings.held and not (settings.folder / "released").exists():
            time.sleep(0.02)
        self.loading.remove(threading.get_ident())
        if settings.load_error:
            raise KeyError(settings.load_error)

    def predict(self, row: list[float]) -> float:
        """The row's sum."""
        return sum(row)


@asynccontextmanager
async def open_model(app: FastAPI) -> AsyncIterator[Model]:
    """In a thread."""
    yield await asyncio.to_thread(Model, app.state.settings)


@asynccontextmanager
async def open_database(app: FastAPI) -> AsyncIterator[sqlite3.Connection]:
    """With its one table."""
    with closing(sqlite3.connect(app.state.settings.folder / "database", check_same_thread=False)) as database:
        database.execute("CREATE TABLE IF NOT EXISTS ticks (value REAL)")
        yield database


@asynccontextmanager
async def open_redis(app: FastAPI) -> AsyncIterator[Redis]:
    """It is down, all the time."""
    async with Redis.from_url(app.state.settings.redis_url) as redis:
        await redis.ping()
        yield redis


@asynccontextmanager
async def open_upstream(app: FastAPI) -> AsyncIterator[aiohttp.ClientSession]:
    """Another service."""
    async with aiohttp.ClientSession(app.state.settings.upstream_url, raise_for_status=True) as upstream:
        await ask(upstream)
        yield upstream


async def ask(upstream: aiohttp.ClientSession) -> str:
    """What it says; raises aiohttp.ClientError when it can't."""
    async with upstream.get("/") as answer:
        return await answer.text()


MODEL = Resource("model", open_model)
DATABASE = Resource("database", open_database)
REDIS = Resource("redis", open_redis, required=False)
UPSTREAM = Resource("upstream", open_upstream)

AModel = Annotated[Model, Depends(opened(MODEL))]
ADatabase = Annotated[sqlite3.Connection, Depends(opened(DATABASE))]
MaybeRedis = Annotated[Redis | None, Depends(opened_or_none(REDIS))]
AnUpstream = Annotated[aiohttp.ClientSession, Depends(opened(UPSTREAM))]
