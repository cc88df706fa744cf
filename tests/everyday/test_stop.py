"""How the service stops: streams, WebSockets and background tasks are drained; development doesn't wait."""

import asyncio
import os
import signal
from pathlib import Path

import aiohttp
import pytest

from stack.waiting import until
from tests.everyday.conftest import Run
from tests.everyday.test_serving import stream


def test_a_stream_ends_within_the_stop_budget(run: Run) -> None:
    """An endless stream of events is ended after the drain; resources are closed, and the exit status is 0."""
    service = run(REQUEST_TIMEOUT=2).wait_ready()
    events = stream(service, "/events")
    assert events.readline() == b"data: 0\n"
    service.terminate()
    while events.readline():
        """Events of the drain."""
    assert service.wait_exit() == 0
    assert "closed database" in service.log


def test_a_background_task_ends_before_resources_close(run: Run, tmp_path: Path) -> None:
    """A task of 2 s that SIGTERM finds at work ends it, and only then what it might use is closed."""
    service = run(REQUEST_TIMEOUT=5).wait_ready()
    assert service.post("/reports/report?seconds=2", None).status == 200
    service.terminate()
    assert service.wait_exit() == 0
    assert (tmp_path / "report").exists()


def test_a_socket_is_closed_with_a_code(run: Run) -> None:
    """A WebSocket that stays open gets a close frame within the stop budget; the exit status is 0."""
    service = run(REQUEST_TIMEOUT=2).wait_ready()

    async def hold() -> int | None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"http://127.0.0.1:{service.port}/predictions") as socket,
        ):
            await socket.send_json([1])
            assert await socket.receive_json() == 1
            service.terminate()
            await asyncio.wait_for(socket.receive(), 20)
            return socket.close_code

    assert asyncio.run(hold()) in (1001, 1012)
    assert service.wait_exit() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_development_stops_at_once(run: Run, number: signal.Signals) -> None:
    """Under plain uvicorn Ctrl-C and SIGTERM end the service without a drain, whatever DRAIN_SECONDS says."""
    service = run("uvicorn", DRAIN_SECONDS=30).wait_ready()
    service.process.send_signal(number)
    service.wait_exit(timeout=10)
    assert "Application shutdown complete" in service.log


def test_a_reload_in_development_does_not_drain(run: Run, tmp_path: Path) -> None:
    """`uvicorn --reload` starts the changed application at once, whatever DRAIN_SECONDS says."""
    watched = tmp_path / "watched.py"
    watched.touch()
    service = run("uvicorn", more=["--reload", "--reload-dir", str(tmp_path)], DRAIN_SECONDS=60).wait_ready()
    os.utime(watched, (0, watched.stat().st_mtime + 60))
    until(lambda: service.log.count("Application startup complete") > 1, 30, "a new service", lambda: service.log)
