"""The proxy that breaks connections by halves, between real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from stack.port_claims import free_ports
from stack.ports import HOST
from stack.toxic.proxy import Proxy, Toxics
from stack.toxic.toxics import BadToxic, Toxic, dumps, loads

LIMIT = 10.0  # seconds for anything that is expected to happen
SILENCE = 0.3  # seconds in which what must not happen doesn't


class Pair:
    """A client's connection through the proxy to a server that echoes."""

    def __init__(self, file: Path, port: int) -> None:
        self._file, self._port = file, port
        self.served = 0  # connections that reached the server
        self.server_ended = asyncio.Event()

    def turn(self, *words: str) -> None:
        unfinished = self._file.with_suffix(".new")  # as `Site.share`: two changes within a tick of the file system's
        unfinished.write_text(dumps(Toxic.parse(words)))  # clock differ in their inodes alone
        unfinished.replace(self._file)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(HOST, self._port)

    async def echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.served += 1
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
        self.server_ended.set()
        writer.close()


@asynccontextmanager
async def pair(folder: Path) -> AsyncIterator[Pair]:
    ports = free_ports()
    listen, target = f"{HOST}:{ports['api']}", f"{HOST}:{ports['worker']}"
    file = folder / "worker.toxics"
    made = Pair(file, ports["api"])
    server = await asyncio.start_server(made.echo, HOST, ports["worker"])
    proxy = asyncio.create_task(Proxy(listen, target, Toxics(file)).serve())
    try:
        async with asyncio.timeout(LIMIT):
            while True:
                try:
                    _, writer = await made.connect()
                except OSError:
                    await asyncio.sleep(0.01)
                else:
                    break
            writer.close()
            await made.server_ended.wait()
        made.served = 0
        made.server_ended.clear()
        yield made
    finally:
        proxy.cancel()
        server.close()


def run(folder: Path, body: Callable[[Pair], Awaitable[None]]) -> None:
    async def inside() -> None:
        async with asyncio.timeout(30), pair(folder) as made:
            await body(made)

    asyncio.run(inside())


async def say(writer: asyncio.StreamWriter, reader: asyncio.StreamReader, text: bytes = b"hello") -> bytes:
    writer.write(text)
    async with asyncio.timeout(LIMIT):
        return await reader.readexactly(len(text))


def test_without_toxics_every_byte_passes(tmp_path: Path) -> None:
    """A proxy without toxics carries a megabyte there and back unchanged."""

    async def body(made: Pair) -> None:
        reader, writer = await made.connect()
        text = bytes(range(256)) * 4096
        assert await say(writer, reader, text) == text
        writer.close()

    run(tmp_path, body)


def test_latency_delays_each_direction(tmp_path: Path) -> None:
    """Latency of 100 ms in both directions makes an echo take at least 200 ms, and none once it is cleared."""

    async def body(made: Pair) -> None:
        reader, writer = await made.connect()
        made.turn("latency=100")
        began = time.monotonic()
        assert await say(writer, reader) == b"hello"
        assert time.monotonic() - began >= 0.2
        made.turn()
        assert await say(writer, reader) == b"hello"

    run(tmp_path, body)


def test_latency_is_not_thinness(tmp_path: Path) -> None:
    """Chunks that were sent together arrive together after the latency: it doesn't add up over them."""

    async def body(made: Pair) -> None:
        reader, writer = await made.connect()
        made.turn("latency=500", "stream=upstream")
        began = time.monotonic()
        assert len(await say(writer, reader, b"x" * 16384 * 12)) == 16384 * 12
        assert time.monotonic() - began < 12 * 0.5  # one after the other would take as long

    run(tmp_path, body)


def test_bandwidth_spreads_bytes(tmp_path: Path) -> None:
    """At 100 KB/s in one direction, 50 KB take at least 0.4 s."""

    async def body(made: Pair) -> None:
        reader, writer = await made.connect()
        made.turn("bandwidth", "rate=100", "stream=downstream")
        began = time.monotonic()
        assert len(await say(writer, reader, b"x" * 50 * 1024)) == 50 * 1024
        assert time.monotonic() - began >= 0.4

    run(tmp_path, body)


def test_black_hole_and_back(tmp_path: Path) -> None:
    """In a black hole nothing passes and nothing closes; what was sent meanwhile arrives once it is cleared."""

    async def body(made: Pair) -> None:
        reader, writer = await made.connect()
        assert await say(writer, reader) == b"hello"
        made.turn("timeout")
        writer.write(b"later")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SILENCE):
                await reader.read(1)
        made.turn()
        async with asyncio.timeout(LIMIT):
            assert await reader.readexactly(5) == b"later"

    run(tmp_path, body)


def test_timeout_closes(tmp_path: Path) -> None:
    """With a timeout in milliseconds the silent connection is closed after it."""

    async def body(made: Pair) -> None:
        reader, writer = await made.connect()
        made.turn("timeout=100")
        writer.write(b"never answered")
        async with asyncio.timeout(LIMIT):
            assert await reader.read() == b""

    run(tmp_path, body)


def test_reset(tmp_path: Path) -> None:
    """A reset is one: the client's read raises ConnectionResetError, and isn't told of an orderly end."""

    async def body(made: Pair) -> None:
        reader, writer = await made.connect()
        assert await say(writer, reader) == b"hello"
        made.turn("reset_peer")
        with pytest.raises(ConnectionResetError):
            async with asyncio.timeout(LIMIT):
                await reader.read()

    run(tmp_path, body)


def test_answer_cut_short(tmp_path: Path) -> None:
    """An answer limited to 3 bytes ends after them."""

    async def body(made: Pair) -> None:
        made.turn("limit_data", "bytes=3", "stream=downstream")
        reader, writer = await made.connect()
        writer.write(b"hello")
        async with asyncio.timeout(LIMIT):
            assert await reader.read() == b"hel"

    run(tmp_path, body)


def test_down_takes_nobody(tmp_path: Path) -> None:
    """While it is down, open connections are closed, and a new one is closed without reaching the server."""

    async def body(made: Pair) -> None:
        reader, writer = await made.connect()
        assert await say(writer, reader) == b"hello"
        served = made.served
        made.turn("down")
        async with asyncio.timeout(LIMIT):
            assert await reader.read() == b""
            reader, writer = await made.connect()
            assert await reader.read() == b""
        assert made.served == served

    run(tmp_path, body)


def test_half_open(tmp_path: Path) -> None:
    """A half-open connection has ended for the server, and its client is not told."""

    async def body(made: Pair) -> None:
        reader, writer = await made.connect()
        assert await say(writer, reader) == b"hello"
        made.turn("half_open")
        async with asyncio.timeout(LIMIT):
            await made.server_ended.wait()
        writer.write(b"anybody?")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SILENCE):
                await reader.read(1)

    run(tmp_path, body)


def test_half_open_stays(tmp_path: Path) -> None:
    """A half-open connection stays dead and silent when the toxic is gone, while a new one is served."""

    async def body(made: Pair) -> None:
        reader, writer = await made.connect()
        assert await say(writer, reader) == b"hello"
        made.turn("half_open")
        async with asyncio.timeout(LIMIT):
            await made.server_ended.wait()
        made.turn()
        new_reader, new_writer = await made.connect()
        assert await say(new_writer, new_reader) == b"hello"
        writer.write(b"anybody?")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SILENCE):
                await reader.read(1)

    run(tmp_path, body)


def test_slices(tmp_path: Path) -> None:
    """Sliced into single bytes, a text arrives whole."""

    async def body(made: Pair) -> None:
        made.turn("slicer", "average_size=1")
        reader, writer = await made.connect()
        assert await say(writer, reader, b"in many packets") == b"in many packets"

    run(tmp_path, body)


def test_toxicity_spares_connections(tmp_path: Path) -> None:
    """Of connections under a toxic with toxicity 0, every one is spared."""

    async def body(made: Pair) -> None:
        made.turn("timeout", "toxicity=0")
        reader, writer = await made.connect()
        assert await say(writer, reader) == b"hello"

    run(tmp_path, body)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lag=3"], "'lag' is no toxic; there are latency"),
        (["latency"], "latency needs latency"),
        (["latency=soon"], "latency: latency is a number, not 'soon'"),
        (["latency=1", "rate=2"], "latency has no rate"),
        (["bandwidth", "rate=-1"], "bandwidth: rate must not be negative"),
        (["timeout", "stream=left"], "stream is upstream, downstream or both"),
        (["down", "toxicity=2"], "down: toxicity is a share"),
    ],
)
def test_bad_words_are_named(words: list[str], message: str) -> None:
    """A toxic that can't be is refused with a sentence that names the word."""
    with pytest.raises(BadToxic, match=message):
        Toxic.parse(words)


def test_toxics_as_words() -> None:
    """A toxic is shown in the words that make it."""
    words = ["latency latency=300 jitter=50 stream=downstream", "limit_data bytes=0 toxicity=0.5", "timeout"]
    assert [str(each) for each in Toxic.parse(" ".join(words).split())] == words


def test_toxics_as_text() -> None:
    """What a file says of toxics is what was written to it."""
    toxics = Toxic.parse(["latency=300", "jitter=50", "stream=downstream", "slicer", "average_size=3", "down"])
    assert loads(dumps(toxics)) == toxics
