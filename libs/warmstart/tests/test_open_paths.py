"""What is answered before a process is ready: probes, and what the application opens by name."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse

from warmstart import Lifecycle, ServiceSettings, install

PATHS = ("/", "/favicon.ico", "/assets/page.js", "/assets", "/work")


def warming(open_paths: Sequence[str]) -> FastAPI:
    """An application whose process has bound before it is ready, as under gunicorn."""
    settings = ServiceSettings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        Lifecycle(app, [], settings)
        yield

    app = FastAPI(lifespan=lifespan)
    install(app, settings, open_paths=open_paths)
    for path in PATHS:
        app.add_api_route(path, lambda: "x")

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    return app


@pytest.mark.parametrize(
    ("named", "answered"),
    [
        ((), ()),
        (("/",), ("/",)),
        (("/", "/favicon.ico", "/assets/"), ("/", "/favicon.ico", "/assets/page.js")),
        (("/work",), ("/work",)),
    ],
)
def test_an_application_opens_paths_by_name(named: Sequence[str], answered: Sequence[str]) -> None:
    """None is open by itself, not even `/`; of those named, one that ends in `/` stands for all below it."""
    with TestClient(warming(named)) as client:
        found = {path: client.get(path) for path in PATHS}
        assert tuple(path for path in PATHS if found[path].status_code == 200) == tuple(answered)
        refused = [answer for answer in found.values() if answer.status_code != 200]
        assert {(answer.status_code, answer.headers["retry-after"]) for answer in refused} <= {(503, "1")}
        assert [client.get(path).status_code for path in ("/livez", "/readyz", "/metrics")] == [200, 503, 200]


def test_a_websocket_is_gated() -> None:
    """Its handshake gets the same 503 as any request while the process is not ready, unless its path is open."""
    with TestClient(warming([])) as client:
        with pytest.raises(WebSocketDenialResponse) as refusal, client.websocket_connect("/socket"):
            pass
        assert (refusal.value.status_code, refusal.value.headers["retry-after"]) == (503, "1")
        assert json.loads(refusal.value.content)["error"]["code"] == "not_ready"
    with TestClient(warming(["/socket"])) as client, client.websocket_connect("/socket"):
        pass


@pytest.mark.parametrize("name", ["open_paths", "quiet", "cors_origins"])
def test_several_are_no_text(name: str) -> None:
    """A str is a collection too, of its letters: `open_paths="/status"` would open `/`."""
    text: dict[str, Any] = {name: "/status"}
    with pytest.raises(TypeError, match=rf"{name}='/status'\): give a tuple"):
        install(FastAPI(), ServiceSettings(), **text)
