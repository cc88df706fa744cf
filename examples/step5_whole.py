"""Step 5, with settings, a mounted part and tests: `WEB_CONCURRENCY=3 gunicorn -c step5.conf.py`."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse
from stand_ins import SlowModel
from step5_settings import Settings

from warmstart import Lifecycle, Resource, install, opened


@asynccontextmanager
async def open_database(app: FastAPI) -> AsyncIterator[sqlite3.Connection]:
    """`install` has put the settings on `app.state`."""
    with closing(sqlite3.connect(app.state.settings.database, check_same_thread=False)) as database:
        database.execute("CREATE TABLE IF NOT EXISTS predictions (value REAL)")
        yield database


@asynccontextmanager
async def open_model(app: FastAPI) -> AsyncIterator[SlowModel]:
    """In a thread, so that the event loop answers probes meanwhile."""
    yield await asyncio.to_thread(SlowModel)


DATABASE = Resource("database", open_database)
MODEL = Resource("model", open_model, after=("database",))
Database = Annotated[sqlite3.Connection, Depends(opened(DATABASE))]
Model = Annotated[SlowModel, Depends(opened(MODEL))]
routes, admin = APIRouter(), FastAPI(title="Administration")


@routes.get("/", response_class=HTMLResponse)
async def home() -> str:
    """A page that is also shown while the model loads."""
    return "<h1>Predictions</h1>"


@routes.post("/predict")
def predict(features: list[float], model: Model, database: Database, request: Request) -> float:
    """The model's prediction. An error's detail may be an object, as in any FastAPI application."""
    if max(features) > (largest := request.app.state.settings.largest):
        raise HTTPException(422, {"reason": "out of range", "largest": largest})
    prediction = model.predict([features])[0]
    with database:
        database.execute("INSERT INTO predictions VALUES (?)", [prediction])
    return prediction


@admin.get("/count")
def count(database: Database) -> int:
    """A mounted application reaches the resources of the outer one."""
    number: int = database.execute("SELECT count(*) FROM predictions").fetchone()[0]
    return number


def create_app(settings: Settings | None = None, model: Resource[SlowModel] = MODEL) -> FastAPI:
    """A test passes its own settings and model; otherwise they come from the environment and `open_model`."""
    known = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Lifecycle(app, (DATABASE, model), known):
            yield

    app = FastAPI(title="Predictions", lifespan=lifespan)
    app.include_router(routes)
    app.mount("/admin", admin)
    install(app, known, open_paths=("/",), error_format="fastapi")
    return app
