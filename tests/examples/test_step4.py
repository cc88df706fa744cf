"""Step 4: work that goes on beside requests and after them, streams and WebSockets."""

import asyncio
import http.client
import json
from pathlib import Path

import aiohttp
import pytest

from stack.waiting import until
from tests.examples.conftest import Serve
from tests.examples.servers import FOR_EVER, SOME_TIME, Server, Way

APP = "step4_work:app"


def listen(server: Server) -> http.client.HTTPResponse:
    """An open stream of events."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/events")
    return connection.getresponse()


def ticks(stream: http.client.HTTPResponse) -> float:
    """Of the next event."""
    while not (line := stream.readline()).startswith(b"data: "):
        assert line, "the stream has ended"
    found: float = json.loads(line.removeprefix(b"data: "))["ticks"]
    return found


def test_background_work_begins_when_the_process_is_ready(serve: Serve, way: Way, tmp_path: Path) -> None:
    """A task that uses the model starts under every server; one that may end ends, and the process stays ready."""
    server = serve(APP, LOAD_SECONDS=SOME_TIME).wait_ready()
    until((tmp_path / "announced").exists, 30, "the task that may end")
    stream = listen(server)
    until(lambda: ticks(stream) >= 3, 30, "three ticks", interval=0)
    assert server.get("/readyz").status == 200
    assert len(server.workers()) == (way.processes if way.binds_first else 0)


def test_a_background_task_outlives_its_request(serve: Serve, tmp_path: Path) -> None:
    """REQUEST_TIMEOUT cuts an answer, not the BackgroundTasks after it."""
    server = serve(APP, REQUEST_TIMEOUT=1).wait_ready()
    assert server.post("/reports/monday?seconds=2", None).status == 202
    until((tmp_path / "monday").exists, 30, "the report")


def test_a_stream_outlives_the_limit_of_other_requests(serve: Serve) -> None:
    """`time_limit(None)` lets events go on past REQUEST_TIMEOUT; at SIGTERM they end, and so does the process."""
    server = serve(APP, REQUEST_TIMEOUT=1).wait_ready()
    stream = listen(server)
    before = ticks(stream)
    until(lambda: ticks(stream) >= before + 4, 30, "events for more than a second", interval=0)
    server.terminate()
    until(lambda: stream.readline() == b"", 30, "the end of the stream", interval=0)
    server.wait_exit()


async def converse(server: Server) -> list[float]:
    """Two numbers for two lists. Raises WSServerHandshakeError when the handshake is refused."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{server.port}/predictions") as socket,
    ):
        await socket.send_json([0, 2])
        await socket.send_json([0, 3])
        return [await socket.receive_json(), await socket.receive_json()]


def test_a_websocket_waits_for_readiness(serve: Serve, way: Way) -> None:
    """Where probes are answered while the model loads, a handshake is refused with 503."""
    server = serve(APP, LOAD_SECONDS=FOR_EVER)
    if way.binds_first:
        server.wait_for("/livez", 200)
        with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
            asyncio.run(converse(server))


def test_a_websocket_reaches_the_model(serve: Serve) -> None:
    """It gets what routes get."""
    assert asyncio.run(converse(serve(APP).wait_ready())) == [2, 3]
