"""What a caller can make of the lines of the log."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI, WebSocket, WebSocketException
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from warmstart import Lifecycle, ServiceSettings, install


def service() -> FastAPI:
    """It has a WebSocket that is refused, and an answer without an end."""
    settings = ServiceSettings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Lifecycle(app, [], settings):
            yield

    app = FastAPI(lifespan=lifespan)
    install(app, settings)

    @app.websocket("/private")
    async def private(_: WebSocket) -> None:
        raise WebSocketException(1008)

    @app.get("/files/{name}")
    async def file(name: str) -> StreamingResponse:
        async def endless() -> AsyncIterator[bytes]:
            yield name.encode()
            await asyncio.Event().wait()

        return StreamingResponse(endless())

    return app


def test_a_refused_websocket_is_a_403(caplog: pytest.LogCaptureFixture) -> None:
    """As the server answers it; a 500 would be an alert that anybody can raise."""
    caplog.set_level(logging.INFO, "warmstart.access")
    with TestClient(service()) as client, pytest.raises(WebSocketDisconnect), client.websocket_connect("/private"):
        pass
    assert [line.split(" ")[:3] for line in caplog.messages] == [["WEBSOCKET", "/private", "403"]]


def test_a_path_forges_no_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """An answer that is cut off is logged with the path as it was sent, without its line ends."""
    with TestClient(service()) as client:
        client.get("/files/a%0Aforged", headers={"X-Request-Timeout": "0.05"})
    [line] = [each for each in caplog.messages if "cut off" in each]
    assert "/files/a%0Aforged" in line
