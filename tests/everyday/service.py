"""A service with what services have: background work, streams, a WebSocket, a mounted part, its own `/`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import StreamingResponse

from tests.everyday.parts import (
    DATABASE,
    MODEL,
    REDIS,
    UPSTREAM,
    ADatabase,
    AModel,
    AnUpstream,
    MaybeRedis,
    Settings,
    ask,
)
from warmstart import Lifecycle, install, time_limit

admin, routes = FastAPI(), APIRouter()


async def tick(life: Lifecycle) -> None:
    """Every 100 ms, with the model and the database."""
    while True:
        with life.value(DATABASE) as database:
            database.execute("INSERT INTO ticks VALUES (?)", [life.value(MODEL).predict([1])])
        await asyncio.sleep(0.1)


@admin.get("/ticks")
def ticks(database: ADatabase) -> int:
    """How many there were."""
    number: int = database.execute("SELECT count(*) FROM ticks").fetchone()[0]
    return number


@routes.get("/")
async def home() -> str:
    """A page of its own."""
    return "home"


@routes.get("/predict", tags=["model"])
async def predict(value: float, model: AModel, redis: MaybeRedis) -> dict[str, float | bool]:
    """The model's word, and whether it could be cached."""
    if value < 0:
        raise HTTPException(422, {"field": "value", "least": 0})
    return {"prediction": model.predict([value]), "cached": redis is not None}


@routes.get("/upstream")
async def upstream(upstream: AnUpstream) -> str:
    """The other service's word."""
    return await ask(upstream)


@routes.get("/events", dependencies=[time_limit(None)])
async def events(count: int = 10**6) -> StreamingResponse:
    """Server-sent events, ten a second."""

    async def each() -> AsyncIterator[str]:
        for number in range(count):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(each(), media_type="text/event-stream")


@routes.post("/reports/{name}")
async def report(name: str, seconds: float, tasks: BackgroundTasks, request: Request) -> None:
    """A file, some seconds after the answer."""

    async def write() -> None:
        await asyncio.sleep(seconds)
        (request.app.state.settings.folder / name).touch()

    tasks.add_task(write)


@routes.websocket("/predictions")
async def predictions(socket: WebSocket, model: AModel) -> None:
    """A number for each list of them."""
    await socket.accept()
    async for row in socket.iter_json():
        await socket.send_json(model.predict(row))


def create_app() -> FastAPI:
    """All of it."""
    settings = Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async def once(life: Lifecycle) -> None:
            await asyncio.to_thread((settings.folder / "once").touch)

        model = replace(MODEL, timeout=settings.load_timeout) if settings.load_timeout else MODEL
        async with Lifecycle(app, (model, DATABASE, REDIS, UPSTREAM), settings) as life:
            life.spawn("tick", tick)
            life.spawn("once", once, may_end=True)
            yield

    tags, servers = [{"name": "model", "description": "What it says."}], [{"url": "https://example.org/everyday"}]
    app = FastAPI(title="Everyday", version="1.2.3", openapi_tags=tags, servers=servers, lifespan=lifespan)
    app.include_router(routes)
    app.mount("/admin", admin)
    install(app, settings, open_paths=("/",) if settings.open_home else (), error_format="fastapi")
    return app
