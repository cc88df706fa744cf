"""Streams, WebSockets and background tasks: counted, drained within the budget, and in nobody's way at Ctrl-C."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest
from fastapi import FastAPI

from stack import free_ports, until
from tests.harness import answers, get, outcome
from tests.harness.sample import Start, World
from warmstart import ServiceSettings, install

APPS = Path(__file__).parent / "apps"
HANDSHAKE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
RESTARTS = b"\x88\x02\x03\xf4"  # a close frame of 1012
LAST_CHUNK = b"\r\n0\r\n\r\n"


class Client:
    """One connection that stays open."""

    def __init__(self, port: int, path: str, first: bytes) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        headers = HANDSHAKE if first == b"101" else ""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
        self.received = b""
        while first not in self.received:
            piece = self._socket.recv(65536)
            assert piece, self.received
            self.received += piece

    def rest(self) -> bytes:
        """All that comes until the server ends it."""
        with suppress(ConnectionResetError):
            while piece := self._socket.recv(65536):
                self.received += piece
        return self.received

    def close(self) -> None:
        """Leave."""
        self._socket.close()


LASTING = {
    "/events": b"data: 1",
    "/part/events": b"data: 1",
    "/download": b"data: 1",
    "/socket": b"101",
    "/deaf": b"101",
}


@contextmanager
def clients_of(port: int) -> Iterator[dict[str, Client]]:
    """One of each kind, and an idle connection."""
    pytest.importorskip("wsproto")  # uvicorn's WebSockets; make test-python has none
    with ExitStack() as opened:
        wanted = {**LASTING, "/livez": b"ok"}
        yield {path: opened.enter_context(closing(Client(port, path, first))) for path, first in wanted.items()}


def test_a_drain_ends_what_lasts(world: World, start: Start) -> None:
    """WebSockets are told to come again, events end, a download breaks off, and all of them clean up before the end.

    A background task that fits into the budget is done. All of it is no error.
    """
    service = start(APP="long_lived:create_app()", DRAIN_SECONDS=0.2, REQUEST_TIMEOUT=2).wait_ready()
    with clients_of(service.port) as clients:
        assert service.get("/begin?seconds=1").status == 200
        service.terminate()
        assert service.wait_exit() == 0
        ends = {path: client.rest() for path, client in clients.items()}
    assert ends["/events"].endswith(LAST_CHUNK)
    assert ends["/part/events"].endswith(LAST_CHUNK)
    assert not ends["/download"].endswith(LAST_CHUNK)
    assert ends["/socket"].endswith(RESTARTS)
    assert ends["/deaf"].endswith(RESTARTS)
    noted = world.trace()
    assert sorted(noted[:-1]) == sorted([*["stream ended"] * 3, "socket closed 1012", "deaf socket ended", "work done"])
    assert noted[-1] == "end"
    assert "Traceback" not in service.log


def test_events_have_a_limit_of_their_own_and_a_last_word(start: Start) -> None:
    """At a stop they have STREAM_DRAIN_SECONDS, also if a request has less, and the last one can say why it is that."""
    service = start(APP="long_lived:create_app()", DRAIN_SECONDS=0, REQUEST_TIMEOUT=0.5, STREAM_DRAIN_SECONDS=3)
    service.wait_ready()
    with (
        closing(Client(service.port, "/download", b"data: 5\n")) as download,  # it is ahead
        closing(Client(service.port, "/told", b"data: 1\n")) as told,
    ):
        service.terminate()
        assert download.rest().count(b"data:") < told.rest().count(b"data:")
    assert service.wait_exit() == 0
    assert told.received.endswith(b"data: stopping\n\n" + LAST_CHUNK)


def test_what_lasts_is_counted(start: Start) -> None:
    """A gauge of the whole pod counts a stream while it lasts, and the metrics of its route count it at its end."""
    service = start(APP="long_lived:create_app()", WEB_CONCURRENCY=2).wait_ready()

    def metric(line: str) -> float:
        text = service.get("/metrics").body.decode()
        return sum(float(each.rsplit(" ", 1)[1]) for each in text.splitlines() if each.startswith(line))

    def scrape() -> str:
        return service.get("/metrics").body.decode()[-2000:]

    def reaches(counted: str, number: int) -> None:
        """An answer is counted after its last byte: wait for the very count that is looked at."""
        until(lambda: metric(counted) == number, 10, f"{number} of {counted}", scrape)

    with clients_of(service.port):
        reaches("http_server_active_requests", len(LASTING) + 1)  # and the scrape itself
    reaches(answers("WEBSOCKET", "/socket", 101), 1)
    reaches(answers("GET", "/events", 200), 2)  # a mounted application has the other


@contextmanager
def uvicorn(world: World, *options: str, **settings: str) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    """As in development: the process, its port and its log. Its limits are longer than anybody wants to wait."""
    port, log = free_ports()["api"], world.folder / "uvicorn.log"
    command = [sys.executable, "-m", "uvicorn", "--factory", "long_lived:create_app", "--app-dir", str(APPS)]
    environment = {
        **os.environ,
        "WORLD": str(world.folder),
        "DRAIN_SECONDS": "300",
        "REQUEST_TIMEOUT": "300",
        **settings,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port), *options],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        until(lambda: outcome(port, "/readyz") == 200, 30, "uvicorn is ready", log.read_text)
        yield process, port, log
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its session is ours alone
        process.wait(timeout=10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nobody_waits_for_what_lasts_in_development(world: World, number: signal.Signals) -> None:
    """Ctrl-C, or SIGTERM, ends uvicorn at once, whatever is open, and cleaning up is done before the end."""
    with uvicorn(world) as (process, port, _), clients_of(port) as clients:
        process.send_signal(number)
        process.wait(timeout=20)
        assert clients["/events"].rest().endswith(LAST_CHUNK)
        assert clients["/socket"].rest().endswith(RESTARTS)
    noted = world.trace()
    assert noted.count("stream ended") == 3
    assert noted[-1] == "end"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_background_task_is_not_lost_in_development(world: World, number: signal.Signals) -> None:
    """Ctrl-C, or SIGTERM, lets a background task end under uvicorn, as it would end without this library."""
    with uvicorn(world) as (process, port, _):
        assert get(port, "/begin?seconds=2").status == 200
        process.send_signal(number)
        process.wait(timeout=20)
    assert world.trace() == ["work done", "end"]


def test_a_background_task_has_a_last_limit_in_development(world: World) -> None:
    """One that takes longer than REQUEST_TIMEOUT is cancelled when uvicorn stops, and the log says so."""
    with uvicorn(world, REQUEST_TIMEOUT="1") as (process, port, log):
        assert get(port, "/begin?seconds=300").status == 200
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
        assert "the background task of /begin was cut off" in log.read_text()


def test_a_reload_does_not_wait(world: World) -> None:
    """`uvicorn --reload` starts again at once after a change, though somebody listens to events."""
    changed = world.folder / "changed.py"
    changed.touch()
    with uvicorn(world, "--reload", "--reload-dir", str(world.folder)) as (_, port, log), clients_of(port):

        def reloaded() -> bool:
            if "Reloading" not in log.read_text():  # a change before uvicorn's first look at the folder is none
                changed.write_text("1\n")
            return log.read_text().count("startup complete") >= 2

        until(reloaded, 20, "a reload", log.read_text, interval=0.1)


def test_signals_are_as_before_when_a_lifespan_is_over() -> None:
    """Of a lifespan that runs in the main thread, as some tests do, nothing is left: Ctrl-C still ends those."""
    app = FastAPI()
    install(app, ServiceSettings())
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    messages = [{"type": "lifespan.shutdown"}, {"type": "lifespan.startup"}]
    during = []

    async def receive() -> dict[str, str]:
        return messages.pop()

    async def send(_: object) -> None:
        during.append(signal.getsignal(signal.SIGINT))

    asyncio.run(app({"type": "lifespan", "app": app}, receive, send))
    assert during[0] is not before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
