"""What a Kubernetes Service does, in one process: new connections go to ready replicas, and to nobody if none is.

The front door of compose.yaml won't do here: while no replica is ready it uses unready ones, which hides what
coupled readiness costs.
"""

import asyncio
import itertools
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

HOST = "127.0.0.1"
PERIOD = 0.25  # seconds between two looks at a replica
TIMEOUT = 1.0  # seconds


class Balancer:
    """`url` is its address, `most_unready` how many replicas it has seen unready at once."""

    def __init__(self, replicas: Sequence[str]) -> None:
        self._addresses = [(str(parts.hostname), parts.port or 80) for parts in map(urlsplit, replicas)]
        self._ready = [True] * len(replicas)
        self._turn = itertools.count()
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)
        self.most_unready = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._serve, HOST, 0)
        self.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
        looking = [asyncio.create_task(self._look(number)) for number in range(len(self._addresses))]
        self._started.set()
        await self._stop.wait()
        server.close()
        for task in looking:
            task.cancel()

    async def _look(self, number: int) -> None:
        while True:
            self._ready[number] = await self._is_ready(number)
            self.most_unready = max(self.most_unready, self._ready.count(False))
            await asyncio.sleep(PERIOD)

    async def _is_ready(self, number: int) -> bool:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(TIMEOUT):
                reader, writer = await asyncio.open_connection(*self._addresses[number])
                try:
                    writer.write(b"GET /readyz HTTP/1.0\r\n\r\n")
                    return b" 200 " in await reader.readline()
                finally:
                    writer.close()
        return False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = [address for address, is_ready in zip(self._addresses, self._ready, strict=True) if is_ready]
        if not ready:
            writer.transport.abort()  # as a Service without endpoints refuses
            return
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(*ready[next(self._turn) % len(ready)])
            await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
