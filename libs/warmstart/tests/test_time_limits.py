"""How long a request may take: by REQUEST_TIMEOUT, by its route's own limit, and by its caller's."""

import asyncio
import math
import time
from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from warmstart import ServiceSettings, install, time_limit
from warmstart.http.deadline import remaining

LIMIT = 0.3  # seconds
ROOM = 0.7  # as a limit under which something must happen first
ENOUGH = 0.9


async def slow() -> str:
    """A route that takes longer than the limit."""
    await asyncio.sleep(ENOUGH)
    return "done"


def blocking() -> str:
    """The same in a thread."""
    time.sleep(ENOUGH)
    return "done"


async def stream() -> StreamingResponse:
    """The same, piece by piece."""

    async def events() -> AsyncIterator[str]:
        for number in range(3):
            yield f"data: {number}\n\n"
            await asyncio.sleep(ENOUGH / 2)

    return StreamingResponse(events(), media_type="text/event-stream")


def client_of(limit: float = LIMIT) -> tuple[FastAPI, TestClient]:
    """A client of an application with a short limit, whose first request, which takes longer, is over."""
    app = FastAPI()
    install(app, ServiceSettings(request_timeout=limit))
    client = TestClient(app, raise_server_exceptions=False)
    client.get("/nosuch")
    return app, client


@pytest.mark.parametrize("route", [slow, blocking])
@pytest.mark.parametrize(("seconds", "status"), [(None, 200), (60, 200), (0.1, 504)])
def test_a_route_has_its_own_limit(route: object, seconds: float | None, status: int) -> None:
    """Longer than REQUEST_TIMEOUT, shorter, or none."""
    app, client = client_of()
    app.add_api_route("/slow", route, dependencies=[time_limit(seconds)])  # type: ignore[arg-type]
    app.add_api_route("/other", slow)
    assert client.get("/slow").status_code == status
    assert client.get("/other").status_code == 504


def test_a_routes_limit_counts_before_its_routers() -> None:
    """A router may have a limit for all its routes, and one of them another."""
    app, client = client_of()
    router = APIRouter(dependencies=[time_limit(0.1)])
    router.add_api_route("/short", slow)
    router.add_api_route("/long", slow, dependencies=[time_limit(60)])
    app.include_router(router, prefix="/router")
    assert [client.get(f"/router/{name}").status_code for name in ("short", "long")] == [504, 200]


@pytest.mark.parametrize(("seconds", "whole"), [(None, True), (ROOM, False)])
def test_a_stream_ends_with_its_limit(seconds: float | None, whole: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Without a limit it is sent to its end; with one it ends there, and the log says how to set another."""
    app, client = client_of()
    app.add_api_route("/events", stream, dependencies=[time_limit(seconds)])
    text = client.get("/events").text
    assert ("data: 2" in text) == whole
    assert text.startswith("data: 0")
    assert any("/events" in line and "time_limit" in line for line in caplog.messages) == (not whole)


def test_reading_the_body_counts_by_the_routes_limit() -> None:
    """A slow upload has the time that its route gives it, though dependencies run after the body was read."""
    app, client = client_of()

    async def upload(body: dict[str, int]) -> int:
        return len(body)

    def pieces() -> object:
        yield b'{"a": '
        time.sleep(ENOUGH)
        yield b"1}"

    app.add_api_route("/upload", upload, methods=["POST"], dependencies=[time_limit(60)])
    answer = client.post("/upload", content=pieces(), headers={"Content-Type": "application/json"})  # type: ignore[arg-type]
    assert (answer.status_code, answer.text) == (200, "1")


@pytest.mark.parametrize(("asked", "least", "most"), [("50", 25, 50), (None, math.inf, math.inf)])
def test_the_caller_may_limit_what_has_no_limit(asked: str | None, least: float, most: float) -> None:
    """`X-Request-Timeout` also limits a route without a limit."""
    app, client = client_of()
    found = []

    async def look(request: Request) -> None:
        found.append(remaining(request))

    app.add_api_route("/look", look, dependencies=[time_limit(None)])
    client.get("/look", headers={"X-Request-Timeout": asked} if asked else {})
    assert least <= found[0] <= most


@pytest.mark.parametrize(("sent", "status"), [((), 504), ((b'{"a": ',), 504), ((b'{"a": ', b"1}"), 200)])
def test_a_body_is_not_waited_for_without_a_limit(sent: tuple[bytes, ...], status: int) -> None:
    """Where the answer has none, REQUEST_TIMEOUT is the body's: it takes room of others' as long as it is awaited."""
    app, _ = client_of()
    answers = []

    async def take(body: dict[str, int]) -> str:
        await asyncio.sleep(ENOUGH)
        return "done"

    app.add_api_route("/take", take, methods=["POST"], dependencies=[time_limit(None)])

    async def ask() -> None:
        pieces = [{"type": "http.request", "body": each, "more_body": b"}" not in each} for each in sent]

        async def receive() -> Message:
            return pieces.pop(0) if pieces else await asyncio.Future()

        async def send(message: Message) -> None:
            answers.append(message)

        headers = [(b"content-type", b"application/json"), (b"content-length", b"8")]
        scope = {"type": "http", "method": "POST", "path": "/take", "query_string": b"", "headers": headers}
        await app(scope, receive, send)

    asyncio.run(asyncio.wait_for(ask(), 10))
    assert answers[0]["status"] == status


def test_background_tasks_are_not_cut(caplog: pytest.LogCaptureFixture) -> None:
    """The limit is for the answer: a background task after it takes its time, and is not in the logged duration."""
    app, client = client_of(ROOM)
    logged: list[str] = []

    async def work() -> None:
        await asyncio.sleep(ENOUGH)
        logged.extend(record.getMessage() for record in caplog.records if record.name == "warmstart.access")

    async def begin(tasks: BackgroundTasks) -> None:
        tasks.add_task(work)

    app.add_api_route("/begin", begin)
    with caplog.at_level("INFO", "warmstart.access"):
        assert client.get("/begin").status_code == 200
    assert any(line.startswith("GET /begin 200") for line in logged)


@pytest.mark.parametrize(("seconds", "ends"), [(None, False), (ROOM, True)])
def test_a_websocket_has_a_limit_if_it_says_so(seconds: float | None, ends: bool) -> None:
    """Without one it lasts as long as both sides want; over its limit it is closed as going away."""
    app, client = client_of()

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await asyncio.sleep(ENOUGH)
        await websocket.send_text("done")

    app.add_api_websocket_route("/socket", socket, dependencies=[time_limit(seconds)] if seconds else [])
    with client.websocket_connect("/socket") as connection:
        if ends:
            with pytest.raises(WebSocketDisconnect) as end:
                connection.receive_text()
            assert end.value.code == 1001
        else:
            assert connection.receive_text() == "done"


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_limit_is_positive(seconds: float) -> None:
    """Anything else is an error where it is declared."""
    with pytest.raises(ValueError, match="must be positive"):
        time_limit(seconds)
