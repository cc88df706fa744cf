"""Keys count wherever the api is put: behind a prefix, inside another application, and for WebSockets."""

import pytest
from fastapi import WebSocket
from fastapi.testclient import TestClient
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import WebSocketDenialResponse
from starlette.types import ASGIApp

from api.app import create_app
from api.settings import ApiSettings

KEY = {"Authorization": "Bearer the-key"}


def clients(app: ASGIApp) -> list[TestClient]:
    """Of an application below `/x`: as `--root-path /x` does it, and mounted. It never starts: keys come first."""
    mounted = Starlette(routes=[Mount("/x", app)])
    return [TestClient(app, root_path="/x", raise_server_exceptions=False), TestClient(mounted)]


def api() -> ASGIApp:
    """With a key."""
    app = create_app(ApiSettings(api_keys=SecretStr("the-key")))

    @app.websocket("/v1/stream")
    async def stream(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(socket.state.caller)
        await socket.close()

    return app


def test_a_prefix_opens_nothing() -> None:
    """Below `/x` a route of /v1 is 401 without the key, and found with it."""
    for client in clients(api()):
        assert client.get("/x/v1/models").status_code == 401
        assert client.post("/x/v1/embeddings", content=b"{").status_code == 401
        assert client.get("/x/v1/nowhere", headers=KEY).status_code == 404
        assert client.get("/x/livez").status_code == 200


def test_a_websocket_needs_a_key() -> None:
    """Its handshake is refused without one; with one its caller has a name."""
    app = api()
    for client, path in [(TestClient(app), "/v1/stream"), *((each, "/x/v1/stream") for each in clients(app))]:
        with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect(path):
            pass
        assert refused.value.status_code == 401
        with client.websocket_connect(path, headers=KEY) as socket:
            assert socket.receive_text().startswith("key ")
