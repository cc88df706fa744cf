"""A connection's limits: silence, heads, what comes after an early answer, and an answer that nobody reads."""

import asyncio
import logging
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from starlette.types import Receive, Scope, Send

from tests.harness.sample import Start
from tests.harness.wire import bodies, connect, converse, statuses
from warmstart.pod.connection import bounded, lingering
from warmstart.pod.connection.lifetime import Connection

app = FastAPI()
HOST = b"Host: x\r\n"
GET = b"GET /work HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKED = b"POST /work HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
LARGE = b"POST /nosuch HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % (20 * 2**20)


class Short(Connection):
    """Waits for a fifth of a second."""

    header_timeout = close_timeout = 0.2


@app.get("/work")
@app.post("/work")
async def work(request: Request, size: int = 2) -> str:
    """Reads its body; `size` characters."""
    await request.body()
    await asyncio.sleep(0.01)
    return "x" * size


async def said(pieces: Iterable[bytes], kind: type[Connection] = Short) -> list[int]:
    """The statuses of a conversation."""
    return statuses(await converse(app, pieces, kind))


@pytest.mark.parametrize(("version", "expected"), [(b"1.0", [200]), (b"1.1", [100, 200])])
def test_only_a_client_that_knows_100_gets_it(version: bytes, expected: list[int]) -> None:
    """`Expect: 100-continue` in HTTP/1.0 is ignored."""
    head = b"POST /work HTTP/" + version + b"\r\n" + HOST + b"Expect: 100-continue\r\nConnection: close\r\n"
    assert asyncio.run(said([head + b"Content-Length: 1\r\n\r\n", b"x"])) == expected


BEGINNINGS = {"half a line": b"GET /wo", "half the headers": GET[:-2], "half a header": GET[:-5], "a byte": b"G"}


@pytest.mark.parametrize("before", [b"", GET], ids=["first", "second"])
@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS.keys())
def test_a_head_has_its_time(before: bytes, beginning: bytes) -> None:
    """A request whose head does not come is a 408, and the connection ends, before the first request and after it."""
    answered = [200] if before else []
    assert asyncio.run(said([before + beginning])) == [*answered, 408]


async def received(reader: asyncio.StreamReader) -> bytes:
    """All that came before the end, also when the connection was reset because it was closed between two bytes."""
    found = b""
    with suppress(ConnectionError):
        while piece := await reader.read(65536):
            found += piece
    return found


@pytest.mark.parametrize("before", [b"", GET], ids=["first", "second"])
@pytest.mark.parametrize("drop", [b"X", b"\r\n"], ids=["a head", "empty lines"])
def test_a_byte_now_and_then_buys_no_time(before: bytes, drop: bytes) -> None:
    """A head that trickles, or empty lines before it, end the connection at the same limit."""

    async def trickle() -> list[int]:
        reader, writer, _ = await connect(app, Short)
        writer.write(before + (b"GET /" if drop == b"X" else b""))
        reading = asyncio.create_task(received(reader))
        async with asyncio.timeout(10):
            while not reading.done():
                writer.write(drop)
                await asyncio.sleep(0.02)
            return statuses(await reading)

    assert asyncio.run(trickle()) == ([200] if before else []) + ([408] if drop == b"X" else [])


def test_silence_is_closed_without_an_answer() -> None:
    """A connection that never asks is closed."""
    assert asyncio.run(said([])) == []


FULL = b"X: " + b"x" * 40_000 + b"\r\n"
MANY = b"X-Y: 12345678\r\n" * 3000


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([b"GET /work HTTP/1.1\r\n" + HOST + FULL + b"\r\n"], 431),
        ([b"GET /work HTTP/1.1\r\n" + HOST, MANY + b"\r\n"], 431),
        ([b"GET /work HTTP/1.1\r\n" + HOST, *[b"X-Y: 12345678\r\n" * 500] * 6], 431),
        ([b"GET /work HTTP/1.1\r\n" + HOST + b"X: ", *[b"x" * 10_000] * 4], 431),
        ([b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"], 414),
        ([b"GET /", *[b"x" * 10_000] * 4], 431),
        ([CHUNKED + b"1\r\nx\r\n0\r\n", *[b"X-Y: 12345678\r\n" * 500] * 6], 431),
        ([CHUNKED + b"1\r\nx\r\n0\r\n" + MANY + b"\r\n"], 431),
        ([CHUNKED + b"1\r\nx\r\n0\r\nX: ", *[b"x" * 10_000] * 4], 431),
        ([CHUNKED + b"1;", *[b"x" * 10_000] * 4], 431),
    ],
    ids=[
        *("a header", "headers", "in pieces", "never ends", "target", "no line"),
        *("trailers", "trailers at once", "a trailer", "extension"),
    ],
)
def test_a_head_has_a_largest_size(pieces: list[bytes], status: int) -> None:
    """A head, trailers or a chunk's extension over the limit is refused with the limit, in one piece or in many."""
    (answer,) = bodies(received := asyncio.run(converse(app, pieces)))
    assert b"x-content-type-options: nosniff\r\n" in received
    assert "32768 bytes" in answer["error"]["message"]
    assert asyncio.run(said(pieces, Connection)) == [status]


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET /work HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /work HTTP/1.1\r\n\r\n",
        b"GET /work HTTP/1.1\r\nHost: a/b?c\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /work HTTP/2.0\r\n" + HOST + b"\r\n",
        b"GET /work\r\n\r\n",
        b"POST /work HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST /work HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /work HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"POST /work HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST /work HTTP/1.1\r\n" + HOST + b"Content-Length : 5\r\n\r\nabcde",
        b"POST /work HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
        b"GET /work HTTP/1.1\nHost: x\n\n",
        CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
        CHUNKED + b"3\nabc\n0\n\n",
    ],
)
def test_what_a_proxy_may_read_otherwise_ends_the_connection(request_: bytes) -> None:
    """A request that is no HTTP/1.1, or whose end is in doubt, is one 400 in the envelope; what follows is not read."""
    (answer,) = bodies(asyncio.run(converse(app, [request_ + GET])))
    assert answer["error"]["code"] == "invalid_http"
    assert "callback" not in answer["error"]["message"]


@pytest.mark.parametrize("host", [b"", b"api:8000", b"[::1]:8000", b"my_api.example", b" x "])
def test_a_host_is_taken(host: bytes) -> None:
    """Names, addresses and ports, and nothing, which is what a client without a name for the server sends."""
    assert asyncio.run(said([b"GET /work HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"])) == [200]
    assert asyncio.run(said([b"GET /work HTTP/1.0\r\n\r\n"])) == [200]


def test_requests_before_a_bad_one_are_answered() -> None:
    """Answers come in the order of their requests: two good ones before nonsense get theirs, and no other comes."""
    assert asyncio.run(said([GET + GET + b"nonsense\r\n\r\n"])) == [200, 200]
    assert asyncio.run(said([GET + GET + CHUNKED + b"nonsense\r\n"])) == [200, 200]


def test_trailers_do_not_reach_the_application() -> None:
    """A header after the body is dropped: the request under way was judged without it."""
    seen: list[bytes] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        seen.extend(name for name, _ in scope["headers"])
        await send({"type": "http.response.start", "status": 204, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body"})

    asyncio.run(converse(look, [CHUNKED + b"1\r\nx\r\n0\r\nAuthorization: Bearer x\r\n\r\n"]))
    assert seen == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize("pieces", [1, 320])
def test_an_answer_before_the_body_can_be_read_after_it(pieces: int) -> None:
    """A client that reads only when it has sent its 20 MiB finds the early answer, which ends the connection."""
    body = [b"x" * (20 * 2**20 // pieces)] * pieces
    sent = asyncio.run(converse(app, [LARGE, *body]))
    assert (statuses(sent), b"connection: close" in sent) == ([404], True)


def test_an_early_answer_does_not_wait_for_the_body() -> None:
    """The whole answer arrives at once, whether the client goes on sending or not."""
    assert asyncio.run(said([LARGE], Connection)) == [404]
    assert asyncio.run(said([LARGE.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")], Connection)) == [404]


def test_nothing_is_kept_of_what_is_thrown_away() -> None:
    """An answer that breaks off in the middle of a large body leaves none of it in memory."""
    connections: list[Connection] = []

    async def breaks_off(scope: Scope, receive: Receive, send: Send) -> None:
        while len(connections[0].cycle.body) < 2**17:  # the server has stopped reading
            await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    async def scenario() -> int:
        reader, writer, connection = await connect(breaks_off)
        connections.append(connection)
        writer.write(LARGE)
        for _ in range(80):
            writer.write(b"x" * 2**17)
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await reader.read()
            await writer.drain()
        return len(connection.cycle.body)

    assert asyncio.run(scenario()) < 2**20


@pytest.mark.parametrize("bound", ["bytes", "seconds"])
def test_what_is_thrown_away_is_bounded(
    bound: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that sends on and on after its answer is cut off, after so many bytes or seconds, and has read it."""
    caplog.set_level(logging.INFO, "warmstart.connection")
    monkeypatch.setattr(lingering, "DISCARD_BYTES", 2**20 if bound == "bytes" else 2**60)

    async def flood() -> None:
        _, writer, _ = await connect(app, Connection if bound == "bytes" else Short)
        writer.write(CHUNKED.replace(b"work", b"nosuch"))
        async with asyncio.timeout(10):
            while True:
                writer.write(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0.001)

    with pytest.raises(ConnectionError):
        asyncio.run(flood())
    assert not caplog.messages


@pytest.mark.parametrize("size", [20 * 2**20, 250_000], ids=["waits", "is buffered"])
def test_an_answer_that_nobody_reads_is_dropped(size: int, caplog: pytest.LogCaptureFixture) -> None:
    """A client that does not read is cut off, and logged, whether its answer is being written or waits in a buffer."""
    caplog.set_level(logging.INFO, "warmstart.connection")
    head = b"GET /work?size=%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % size

    async def deaf() -> None:
        _, writer, connection = await connect(app, Short)
        writer.transport.pause_reading()  # type: ignore[attr-defined] # a socket's transport has it
        writer.write(head)
        await asyncio.sleep(0.05)
        assert connection in connection.connections
        async with asyncio.timeout(10):
            while connection in connection.connections:
                await asyncio.sleep(0.02)

    asyncio.run(deaf())
    assert caplog.messages == ["the answer of /work was cut off: its client read nothing for 0.2 s"]


@pytest.mark.parametrize("ends", [False, True], ids=["kept", "ended"])
def test_a_slow_reader_gets_its_whole_answer(ends: bool) -> None:
    """A client that reads a little in each span of time is never cut, one that reads nothing is."""
    spans: list[Callable[[], None]] = []

    def later(seconds: float, ended: Callable[[], None]) -> asyncio.TimerHandle:
        spans.append(ended)
        return asyncio.get_running_loop().call_later(3600, ended)

    async def read_slowly() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, theirs)
        connection = lingering.Lingering(transport, 10, later)
        connection.write(b"x" * 4 * 2**20)
        (connection.close if ends else connection.hold)()
        for _ in range(3):
            before = transport.get_write_buffer_size()
            while transport.get_write_buffer_size() == before:
                await loop.sock_recv(ours, 2**16)
            spans.pop()()
            assert transport.get_write_buffer_size()
        spans.pop()()
        assert not transport.get_write_buffer_size()
        assert not spans
        ours.close()

    asyncio.run(read_slowly())


class Packets(asyncio.Transport):
    """A transport that notes each of its system calls."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        assert all(list_of_data), "from Python 3.12 on, asyncio tries to send an empty piece for ever"
        self.sent.append(b"".join(list_of_data))


def test_a_head_is_one_packet_with_its_body() -> None:
    """A head that is held back goes out with its body, or alone: before the next head, or after this turn."""

    async def answer() -> list[bytes]:
        transport = Packets()
        connection = lingering.Lingering(transport, 10, asyncio.get_running_loop().call_later)
        for pieces in ([b"head", b"body", b"more"], [b"no body"], [b"none either"]):
            connection.hold_back()
            for piece in pieces:
                connection.write(piece)
        async with asyncio.timeout(10):
            while transport.sent[-1] != b"none either":
                await asyncio.sleep(0)
        return transport.sent

    assert asyncio.run(answer()) == [b"headbody", b"more", b"no body", b"none either"]


@pytest.mark.parametrize("before", [b"", GET], ids=["first", "second"])
def test_half_a_head_does_not_delay_the_stop(before: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the server stops, a request that has only begun is waited for as one whose answer is out is."""
    monkeypatch.setattr(bounded, "LAST_SECONDS", 0.01)
    monkeypatch.setattr("warmstart.pod.connection.lifetime.FIRST_REQUEST_SECONDS", 0.01)

    async def stop() -> None:
        reader, writer, connection = await connect(app)  # whose limits are 10 s
        writer.write(before + GET[:-5])
        if before:
            await reader.readuntil(b'"xx"')
        connection.shutdown()
        async with asyncio.timeout(5):
            while connection in connection.connections:
                await asyncio.sleep(0.01)
        writer.close()

    asyncio.run(stop())


def test_an_early_answer_ends_a_connection_with_tls(start: Start, certificate: tuple[Path, Path]) -> None:
    """With gunicorn's `--certfile`, too, a refused body or head is answered and its connection closed."""
    chain, key = certificate
    service = start(GUNICORN_CMD_ARGS=f"--certfile {chain} --keyfile {key}", MAX_BODY_BYTES=1000)
    service.wait_for_log("-> ready")
    trusting = ssl.create_default_context(cafile=chain)
    trusting.check_hostname = False
    for sent, status in ((LARGE, b"HTTP/1.1 413"), (b"nonsense\r\n\r\n", b"HTTP/1.1 400")):
        plain = socket.create_connection(("127.0.0.1", service.port), timeout=5)  # half of what REQUEST_TIMEOUT cuts
        with trusting.wrap_socket(plain) as client, client.makefile("rb") as answer:
            client.sendall(sent)
            assert answer.read().startswith(status)
    assert not service.error_lines()


def test_the_limits_are_settings(start: Start) -> None:
    """Under gunicorn, HEADER_TIMEOUT and MAX_HEADER_BYTES hold, and a client that sends all first reads its 413."""
    service = start(HEADER_TIMEOUT=1, MAX_HEADER_BYTES=2048).wait_ready()
    address = ("127.0.0.1", service.port)
    for sent, answer in (
        (b"", b""),
        (b"GET /wo", b"HTTP/1.1 408"),
        (GET[:-2] + b"X: " + b"x" * 3000 + b"\r\n\r\n", b"HTTP/1.1 431"),
    ):
        with socket.create_connection(address, timeout=10) as client:
            client.sendall(sent)
            assert client.recv(12) == answer
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{service.port}/work", b"x" * (20 * 2**20), timeout=10)
    assert refused.value.code == 413
