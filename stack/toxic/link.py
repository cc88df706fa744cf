"""One connection through the proxy: two streams, each under the current toxics."""

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from .toxics import Stream, Toxic

CHUNK = 16384  # bytes
QUEUED = 64  # chunks under way in one direction; beyond it the sender is slowed down, as by a network
LOOK = 0.02  # seconds between two checks of the toxics while a toxic holds a stream
UnderWay = tuple[Toxic | None, float, bytes]  # what holds a chunk back, until when on the loop's clock, and the chunk
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: closing sends RST, not FIN


class Link:
    """A client's connection and the one to the target. `toxics` returns the current toxics of this link."""

    def __init__(self, toxics: Callable[[], Collection[Toxic]]) -> None:
        self._toxics = toxics
        self._writers: list[asyncio.StreamWriter] = []
        self._passed: Counter[tuple[Toxic, Stream]] = Counter()  # bytes under each `limit_data` since it began
        self._half_open = False
        self._client_left = False
        self._broken = False  # one side takes nothing any more, so nothing will read what the other still sends

    async def join(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Carry both streams until they end, or until a toxic ends them."""
        self._writers = [client[1], server[1]]
        streams = {
            asyncio.create_task(self._carry("upstream", client[0], server[1])),
            asyncio.create_task(self._carry("downstream", server[0], client[1])),
        }
        watching = asyncio.create_task(self._watch())
        both = asyncio.gather(*streams, return_exceptions=True)
        ends: set[asyncio.Future[Any]] = {both, watching}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (*streams, watching):
                each.cancel()
            for writer in self._writers:
                writer.close()

    def _find(self, kind: str, stream: Stream | None = None) -> Toxic | None:
        for toxic in self._toxics():
            if toxic.kind == kind and (stream is None or stream in toxic.streams):
                return toxic
        return None

    async def _watch(self) -> None:
        """End the link when a toxic says so, also while no bytes pass."""
        loop = asyncio.get_running_loop()
        since: dict[Toxic, float] = {}
        while not self._broken:
            since = {toxic: since.get(toxic, loop.time()) for toxic in self._toxics()}
            self._passed = Counter({key: passed for key, passed in self._passed.items() if key[0] in since})
            for toxic, began in since.items():
                if _is_over(toxic, loop.time() - began):
                    if toxic.kind == "reset_peer":
                        self._reset()
                    return
            if self._is_half_open() and self._client_left:
                return
            await asyncio.sleep(LOOK)

    async def _hold(self, toxic: Toxic, seconds: float) -> None:
        """Wait so long, or until this connection is rid of the toxic."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0 and toxic in self._toxics():  # noqa: ASYNC110 - a file can't wake us
            await asyncio.sleep(min(left, LOOK))

    def _is_half_open(self) -> bool:
        """For good, once it was: the server's side can't be opened again, and the client is never told."""
        if not self._half_open and self._find("half_open"):
            self._half_open = True
            self._writers[1].close()
        return self._half_open

    def _reset(self) -> None:
        for writer in self._writers:
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    async def _carry(self, stream: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read as fast as allowed, and write each chunk when it is due."""
        under_way: asyncio.Queue[UnderWay] = asyncio.Queue(QUEUED)
        writing = asyncio.create_task(self._write(stream, under_way, writer))
        try:
            with suppress(OSError):
                while chunk := await reader.read(CHUNK):
                    await under_way.put((*self._due(stream), chunk))
            self._client_left = self._client_left or stream == "upstream"
            while self._is_half_open() or self._find("timeout", stream):  # noqa: ASYNC110 - a file can't wake us
                await asyncio.sleep(LOOK)
            if slow := self._find("slow_close", stream):
                await self._hold(slow, slow["delay"] / 1000)
            await under_way.put((None, 0.0, b""))
            await writing
        finally:
            writing.cancel()

    def _due(self, stream: Stream) -> tuple[Toxic | None, float]:
        slow = self._find("latency", stream)
        if slow is None:
            return None, 0.0
        jitter = random.uniform(-slow["jitter"], slow["jitter"])  # noqa: S311 - chance, no secret
        return slow, asyncio.get_running_loop().time() + max(0.0, slow["latency"] + jitter) / 1000

    async def _write(self, stream: Stream, under_way: asyncio.Queue[UnderWay], writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            slow, due, chunk = await under_way.get()
            if slow:
                await self._hold(slow, due - loop.time())
            if not chunk:
                with suppress(OSError):
                    writer.write_eof()
                return
            try:
                if await self._pass(stream, chunk, writer):
                    continue
            except OSError:
                pass
            self._broken = True
            return

    async def _pass(self, stream: Stream, chunk: bytes, writer: asyncio.StreamWriter) -> bool:
        """Write one chunk, whole or in slices; False when the stream ends here."""
        while chunk:
            while self._find("timeout", stream):  # noqa: ASYNC110 - a file can't wake us
                await asyncio.sleep(LOOK)
            if self._is_half_open():
                return True  # the rest goes nowhere
            limit = self._find("limit_data", stream)
            left = int(limit["bytes"]) - self._passed[limit, stream] if limit else CHUNK
            size = min(self._size(stream), left)
            part, chunk = chunk[:size], chunk[size:]
            writer.write(part)
            await writer.drain()
            if limit:
                self._passed[limit, stream] += len(part)
                if len(part) == left:
                    for each in self._writers:
                        each.close()
                    return False
            await self._rest(stream, len(part))
        return True

    async def _rest(self, stream: Stream, written: int) -> None:
        if thin := self._find("bandwidth", stream):
            await self._hold(thin, written / (thin["rate"] * 1024))
        if slicer := self._find("slicer", stream):
            await self._hold(slicer, slicer["delay"] / 1e6)

    def _size(self, stream: Stream) -> int:
        """How many bytes are written next."""
        if slicer := self._find("slicer", stream):
            spread = random.uniform(-slicer["size_variation"], slicer["size_variation"])  # noqa: S311 - no secret
            return max(1, int(slicer["average_size"] + spread))
        thin = self._find("bandwidth", stream)
        return max(1, int(thin["rate"] * 1024 * LOOK)) if thin else CHUNK


def _is_over(toxic: Toxic, lasts: float) -> bool:
    """Whether this toxic ends a link that has had it for so many seconds."""
    if toxic.kind == "timeout":
        return 0 < toxic["timeout"] <= lasts * 1000
    return toxic.kind == "down" or (toxic.kind == "reset_peer" and lasts * 1000 >= toxic["timeout"])
