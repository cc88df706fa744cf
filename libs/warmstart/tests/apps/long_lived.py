"""A service with what lasts: events, a download, WebSockets, a background task. It notes how each of them ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, BackgroundTasks, FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from sample import note

from warmstart import Lifecycle, ServiceSettings, install, time_limit
from warmstart.http.deadline import lasting

PAUSE = 0.05  # seconds between two pieces
router = APIRouter()


async def forever() -> AsyncIterator[str]:
    """Pieces without an end."""
    number = 0
    try:
        while True:
            yield f"data: {number}\n\n"
            number += 1
            await asyncio.sleep(PAUSE)
    finally:
        note("stream ended")


@router.get("/events", dependencies=[time_limit(None)])
async def events() -> StreamingResponse:
    """For as long as the client listens."""
    return StreamingResponse(forever(), media_type="text/event-stream")


@router.get("/told")
async def told(request: Request) -> StreamingResponse:
    """Events of which the last one says why there are no more."""
    lasting(request, lambda error: f"data: {error.code}\n\n".encode())
    return StreamingResponse(forever(), media_type="text/event-stream")


@router.get("/download", dependencies=[time_limit(None)])
async def download() -> StreamingResponse:
    """No events: its end must not look like one."""
    return StreamingResponse(forever(), media_type="application/octet-stream")


@router.websocket("/socket")
async def socket(websocket: WebSocket) -> None:
    """Echoes."""
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect as end:
        note(f"socket closed {end.code}")


@router.websocket("/deaf")
async def deaf(websocket: WebSocket) -> None:
    """Never learns that it was closed."""
    await websocket.accept()
    try:
        await asyncio.sleep(3600)
    finally:
        note("deaf socket ended")


@router.get("/begin")
async def begin(tasks: BackgroundTasks, seconds: float) -> None:
    """Answers at once, and works then."""

    async def work() -> None:
        await asyncio.sleep(seconds)
        note("work done")

    tasks.add_task(work)


def create_app() -> FastAPI:
    """The service."""
    settings = ServiceSettings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Lifecycle(app, [], settings):
            yield
        note("end")

    app, part = FastAPI(lifespan=lifespan), FastAPI()
    part.include_router(router)
    app.include_router(router)
    app.mount("/part", part)
    install(app, settings)
    return app
