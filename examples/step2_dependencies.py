"""Step 2, dependencies that are missing or get lost: `gunicorn -c gunicorn.conf.py step2_dependencies:app`."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Annotated

from fastapi import Depends, FastAPI
from stand_ins import RedisClient, SlowModel

from warmstart import Lifecycle, Resource, ServiceSettings, install, opened, opened_or_none


async def ping_database(database: sqlite3.Connection) -> None:
    """Raise when the database can't answer the service's query."""
    database.execute("SELECT count(*) FROM predictions")


async def ping_cache(cache: RedisClient) -> None:
    """Raise when the server doesn't answer PING as Redis does."""
    if (answer := await cache.command("PING")) != "+PONG":
        raise ConnectionError(f"PING was answered with {answer!r}")


@asynccontextmanager
async def open_database(app: FastAPI) -> AsyncIterator[sqlite3.Connection]:
    """The database may come late: the lifecycle retries until STARTUP_TIMEOUT."""
    path = os.environ.get("DATABASE", "predictions.db")
    with closing(sqlite3.connect(path, check_same_thread=False)) as database:
        database.execute("CREATE TABLE IF NOT EXISTS predictions (value REAL)")
        yield database


@asynccontextmanager
async def open_cache(app: FastAPI) -> AsyncIterator[RedisClient]:
    """Open means proven: a client that has not talked to its server proves nothing."""
    cache = RedisClient(os.environ.get("CACHE", "127.0.0.1:6379"))
    await ping_cache(cache)
    yield cache


@asynccontextmanager
async def open_model(app: FastAPI) -> AsyncIterator[SlowModel]:
    """In a thread, so that the event loop answers probes meanwhile."""
    yield await asyncio.to_thread(SlowModel)


DATABASE = Resource("database", open_database, check=ping_database)
CACHE = Resource("cache", open_cache, check=ping_cache, required=False)
MODEL = Resource("model", open_model)

# Typed access: a 503 that names the resource while it is not open and healthy, or None for one that may be missing.
Database = Annotated[sqlite3.Connection, Depends(opened(DATABASE))]
Cache = Annotated[RedisClient | None, Depends(opened_or_none(CACHE))]
Model = Annotated[SlowModel, Depends(opened(MODEL))]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The resources open concurrently, in any order; `after=` would name those that must be open first."""
    async with Lifecycle(app, (DATABASE, CACHE, MODEL), ServiceSettings()):
        yield


app = FastAPI(lifespan=lifespan)
install(app, ServiceSettings())


@app.post("/predict")
async def predict(features: list[float], model: Model, cache: Cache) -> dict[str, float | str | None]:
    """The model's prediction, and the number of predictions if Redis counts them."""
    [prediction] = await asyncio.to_thread(model.predict, [features])
    return {"prediction": prediction, "count": await cache.command("INCR", "predictions") if cache else None}


@app.post("/feedback")
def feedback(value: float, database: Database) -> dict[str, int]:
    """The only route that needs the database: all others work without it."""
    with database:
        database.execute("INSERT INTO predictions VALUES (?)", [value])
        count: int = database.execute("SELECT count(*) FROM predictions").fetchone()[0]
    return {"count": count}
