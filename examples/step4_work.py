"""Step 4, work that outlives its request: `gunicorn -c gunicorn.conf.py step4_work:app`."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from stand_ins import SlowModel

from warmstart import Lifecycle, Resource, ServiceSettings, install, opened, time_limit

PERIOD = 0.5  # seconds


@asynccontextmanager
async def open_model(app: FastAPI) -> AsyncIterator[SlowModel]:
    """In a thread, so that the event loop answers probes meanwhile."""
    yield await asyncio.to_thread(SlowModel)


MODEL = Resource("model", open_model)
Model = Annotated[SlowModel, Depends(opened(MODEL))]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Both tasks begin when the process is ready, not before."""

    async def tick(life: Lifecycle) -> None:
        """This task runs as long as the process serves: if it ends or raises, the process is replaced."""
        app.state.ticks = 0
        while True:
            [tick] = await asyncio.to_thread(life.value(MODEL).predict, [[0.0, 1.0]])
            app.state.ticks += tick
            await asyncio.sleep(PERIOD)

    async def announce(life: Lifecycle) -> None:
        """This task runs once; it may end."""
        await asyncio.to_thread(Path("announced").touch)

    async with Lifecycle(app, (MODEL,), ServiceSettings()) as life:
        life.spawn("tick", tick)
        life.spawn("announce", announce, may_end=True)
        yield


app = FastAPI(lifespan=lifespan)
install(app, ServiceSettings())


async def write_report(seconds: float, name: str) -> None:
    """REQUEST_TIMEOUT limits the answer, not this task. The process waits for the task before it ends."""
    await asyncio.sleep(seconds)
    await asyncio.to_thread(Path(name).write_text, "done")


@app.post("/reports/{name}", status_code=202)
async def report(name: str, tasks: BackgroundTasks, seconds: float = 1) -> None:
    """The report is written after the answer."""
    tasks.add_task(write_report, seconds, name)


@app.get("/events", dependencies=[time_limit(None)])
async def events(request: Request) -> StreamingResponse:
    """Server-sent events, for as long as the client listens."""

    async def each() -> AsyncIterator[str]:
        while True:
            yield f"data: {json.dumps({'ticks': request.app.state.ticks})}\n\n"
            await asyncio.sleep(PERIOD)

    return StreamingResponse(each(), media_type="text/event-stream")


@app.websocket("/predictions")
async def predictions(socket: WebSocket, model: Model) -> None:
    """One number for each list of numbers. Before the process is ready the gate refuses with 503."""
    await socket.accept()
    async for features in socket.iter_json():
        [prediction] = await asyncio.to_thread(model.predict, [features])
        await socket.send_json(prediction)
