"""Step 1, the start and the stop are declared: `gunicorn -c gunicorn.conf.py step1_lifecycle:app`."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from fastapi import FastAPI, Request
from stand_ins import SlowModel

from warmstart import Lifecycle, Resource, ServiceSettings, install


@asynccontextmanager
async def open_database(app: FastAPI) -> AsyncIterator[sqlite3.Connection]:
    """One attempt, which proves that the database works. The connection is closed, whatever fails later."""
    path = os.environ.get("DATABASE", "predictions.db")
    with closing(sqlite3.connect(path, check_same_thread=False)) as database:
        database.execute("CREATE TABLE IF NOT EXISTS predictions (value REAL)")
        yield database


@asynccontextmanager
async def open_model(app: FastAPI) -> AsyncIterator[SlowModel]:
    """In a thread, so that the event loop answers probes meanwhile."""
    yield await asyncio.to_thread(SlowModel)


RESOURCES = (Resource("database", open_database), Resource("model", open_model))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """What a resource opens sits on `app.state` under its name, as before."""
    async with Lifecycle(app, RESOURCES, ServiceSettings()):
        yield


app = FastAPI(lifespan=lifespan)
install(app, ServiceSettings())  # /livez, /startupz, /readyz, /metrics; the gate, the drain, the limits


@app.post("/predict")
def predict(features: list[float], request: Request) -> dict[str, float]:
    """The model's prediction, and the number of predictions so far."""
    prediction = request.app.state.model.predict([features])[0]
    with request.app.state.database as database:
        database.execute("INSERT INTO predictions VALUES (?)", [prediction])
        count = database.execute("SELECT count(*) FROM predictions").fetchone()[0]
    return {"prediction": prediction, "count": count}
