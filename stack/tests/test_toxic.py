"""The proxy that breaks connections by halves, between real sockets."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import pytest

from stack.tests.pair import LIMIT, Pair, run, say

SILENCE = 0.3  # seconds in which what must not happen doesn't


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


def test_a_limit_counts_from_when_it_began(tmp_path: Path) -> None:
    """On a connection that has passed 2,000 bytes, 3 more pass under a limit of 3 bytes, also of one that came back."""

    async def body(made: Pair) -> None:
        limit = ("limit_data", "bytes=3", "stream=downstream")
        reader, writer = await made.connect()
        assert len(await say(writer, reader, b"x" * 2000)) == 2000
        made.turn(*limit)
        assert await say(writer, reader, b"he") == b"he"
        made.turn()
        await asyncio.sleep(SILENCE)  # in which the proxy sees that it is gone
        assert await say(writer, reader, b"llo") == b"llo"
        made.turn(*limit)
        writer.write(b"hello")
        async with asyncio.timeout(LIMIT):
            assert await reader.read() == b"hel"

    run(tmp_path, body)


def test_clear_lifts_a_limit(tmp_path: Path) -> None:
    """A limit that is cleared before its bytes have passed cuts nothing, not even the chunk that is under way."""

    async def body(made: Pair) -> None:
        slow = ("bandwidth", "rate=1", "stream=downstream")
        made.turn(*slow, "limit_data", "bytes=1500", "stream=downstream")
        reader, writer = await made.connect()
        text = bytes(range(256)) * 8
        writer.write(text)
        async with asyncio.timeout(LIMIT):
            begin = await reader.readexactly(1)
        made.turn()
        async with asyncio.timeout(LIMIT):
            assert begin + await reader.readexactly(len(text) - 1) == text

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
    """Sliced into single bytes 20 ms apart, a text of 15 bytes takes at least 0.28 s, and arrives whole."""

    async def body(made: Pair) -> None:
        made.turn("slicer", "average_size=1", "delay=20000", "stream=upstream")
        reader, writer = await made.connect()
        began = time.monotonic()
        assert await say(writer, reader, b"in many packets") == b"in many packets"
        assert time.monotonic() - began >= 14 * 0.02

    run(tmp_path, body)


def test_jitter_keeps_the_order(tmp_path: Path) -> None:
    """Under jitter of 100 ms bytes are late, by chance, and never overtake each other."""

    async def body(made: Pair) -> None:
        made.turn("latency=0", "jitter=100", "stream=upstream")
        reader, writer = await made.connect()
        began = time.monotonic()
        text = bytes(range(30))
        for each in text:
            writer.write(bytes([each]))
            await asyncio.sleep(0.001)  # so that the proxy reads them one by one
        async with asyncio.timeout(LIMIT):
            assert await reader.readexactly(len(text)) == text
        assert time.monotonic() - began >= 0.05  # less, if 30 numbers from -100 to 100 were all below 50: 2e-4 %

    run(tmp_path, body)


def test_slow_close(tmp_path: Path) -> None:
    """The end of a connection, not its bytes, is held back by `slow_close`."""

    async def body(made: Pair) -> None:
        made.turn("slow_close", "delay=300", "stream=downstream")
        reader, writer = await made.connect()
        assert await say(writer, reader) == b"hello"
        began = time.monotonic()
        writer.write_eof()
        async with asyncio.timeout(LIMIT):
            assert await reader.read() == b""
        assert time.monotonic() - began >= 0.3

    run(tmp_path, body)


@pytest.mark.parametrize(
    ("words", "arrives"),
    [
        ("latency=60000 stream=upstream", 0),
        ("slicer average_size=3 delay=60000000 stream=upstream", 3),
        ("bandwidth rate=0.00001 stream=upstream", 1),
    ],
)
def test_clear_lets_go_of_bytes(tmp_path: Path, words: str, arrives: int) -> None:
    """Bytes that a toxic holds back for a minute, and those sent after them, arrive when it is cleared."""

    async def body(made: Pair) -> None:
        reader, writer = await made.connect()
        made.turn(*words.split())
        writer.write(b"held")
        async with asyncio.timeout(LIMIT):
            assert await reader.readexactly(arrives) == b"held"[:arrives]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SILENCE):
                await reader.read(1)
        made.turn()
        writer.write(b" back")
        async with asyncio.timeout(LIMIT):
            assert await reader.readexactly(9 - arrives) == b"held back"[arrives:]

    run(tmp_path, body)


def test_clear_lets_go_of_an_end(tmp_path: Path) -> None:
    """The end of a connection that `slow_close` holds back for a minute comes when it is cleared."""

    async def body(made: Pair) -> None:
        made.turn("slow_close", "delay=60000", "stream=downstream")
        reader, writer = await made.connect()
        assert await say(writer, reader) == b"hello"
        writer.write_eof()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SILENCE):
                await reader.read()
        made.turn()
        async with asyncio.timeout(LIMIT):
            assert await reader.read() == b""

    run(tmp_path, body)


def test_toxicity_spares_open_connections(tmp_path: Path) -> None:
    """Of connections under a toxic with toxicity 0 every one is spared, whether it is older than the toxic or not."""

    async def body(made: Pair) -> None:
        old_reader, old_writer = await made.connect()
        assert await say(old_writer, old_reader) == b"hello"
        made.turn("timeout", "toxicity=0")
        reader, writer = await made.connect()
        assert await say(writer, reader) == b"hello"
        assert await say(old_writer, old_reader) == b"hello"

    run(tmp_path, body)


def test_toxicity_is_a_share_also_of_new_connections_under_down(tmp_path: Path) -> None:
    """Of 60 new connections under `down` with toxicity 0.5 some are closed, and some are served."""

    async def body(made: Pair) -> None:
        made.turn("down", "toxicity=0.5")
        served = 0
        for _ in range(60):
            reader, writer = await made.connect()
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                assert await say(writer, reader) == b"hello"
                assert await say(writer, reader) == b"hello"
                served += 1
            writer.close()
        assert 0 < served < 60

    run(tmp_path, body)


def test_both_streams_have_timeouts(tmp_path: Path) -> None:
    """A black hole of one stream doesn't hide the timeout of the other, which closes the connection."""

    async def body(made: Pair) -> None:
        reader, writer = await made.connect()
        made.turn("timeout", "stream=upstream", "timeout", "timeout=100", "stream=downstream")
        writer.write(b"never answered")
        async with asyncio.timeout(LIMIT):
            assert await reader.read() == b""

    run(tmp_path, body)


def test_black_hole_stops_a_slow_answer(tmp_path: Path) -> None:
    """A black hole begins in the midst of a chunk that passes slowly, and when it ends the rest arrives."""

    async def body(made: Pair) -> None:
        made.turn("bandwidth", "rate=1", "stream=downstream")
        reader, writer = await made.connect()
        text = bytes(range(256)) * 8
        writer.write(text)
        async with asyncio.timeout(LIMIT):
            begin = await reader.readexactly(1)
        made.turn("timeout", "stream=downstream")
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(SILENCE):
                    begin += await reader.readexactly(1)
        assert len(begin) < len(text)  # at 1 KB/s it would all have come
        made.turn()
        async with asyncio.timeout(LIMIT):
            assert begin + await reader.readexactly(len(text) - len(begin)) == text

    run(tmp_path, body)


def test_a_client_that_leaves_ends_the_connection(tmp_path: Path) -> None:
    """A client that resets in the midst of a large answer leaves nothing behind: the server's writing fails, too."""

    async def body(made: Pair) -> None:
        failed = asyncio.Event()

        async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                while True:
                    writer.write(b"x" * 65536)
                    await writer.drain()
            failed.set()

        made.serve = pour
        reader, writer = await made.connect()
        async with asyncio.timeout(LIMIT):
            await reader.readexactly(65536)
            writer.transport.abort()
            await failed.wait()

    run(tmp_path, body)
