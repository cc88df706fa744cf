"""A balancer like a Kubernetes Service: new connections go to ready replicas only, and nowhere if none is ready.

The front door of compose.yaml is unsuitable here: while no replica is ready it uses unready ones, which hides the cost
of coupled readiness.
"""

import asyncio
import itertools
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Self, TypeAlias
from urllib.parse import urlsplit

Address: TypeAlias = tuple[str, int]

HOST = "127.0.0.1"
PERIOD = 0.25  # seconds between two looks at a replica
TIMEOUT = 1.0  # seconds


class Balancer:
    """A balancer at `url`; `most_unready` is the largest number of replicas that were unready at the same time.

    It listens at `host` and `port`, which is any free one by default. With `blind`, it takes all replicas for ready.
    """

    def __init__(self, replicas: Iterable[str], host: str = HOST, port: int = 0, *, blind: bool = False) -> None:
        self._host, self._port, self._blind = host, port, blind
        self._ready: dict[Address, bool] = {}
        self._join(replicas, ready=True)
        self._turn = itertools.count()
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)
        self.most_unready = 0

    def __enter__(self) -> Self:
        self._socket = socket.create_server((self._host, self._port))
        self.url = f"http://{self._host}:{self._socket.getsockname()[1]}"
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def add(self, replicas: Iterable[str]) -> None:
        """Add these replicas. Known replicas stay, also one that has left: it isn't ready."""
        self._loop.call_soon_threadsafe(self._join, list(replicas))

    def _join(self, replicas: Iterable[str], *, ready: bool = False) -> None:
        for parts in map(urlsplit, replicas):
            self._ready.setdefault((str(parts.hostname), parts.port or 80), ready)

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._serve, sock=self._socket)
        looking = asyncio.create_task(self._look())
        self._started.set()
        await self._stop.wait()
        server.close()
        looking.cancel()

    async def _look(self) -> None:
        while not self._blind:
            addresses = list(self._ready)
            answers = await asyncio.gather(*map(self._is_ready, addresses))
            self._ready.update(zip(addresses, answers, strict=True))
            self.most_unready = max(self.most_unready, answers.count(False))
            await asyncio.sleep(PERIOD)

    async def _is_ready(self, address: Address) -> bool:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(TIMEOUT):
                reader, writer = await asyncio.open_connection(*address)
                try:
                    writer.write(b"GET /readyz HTTP/1.0\r\n\r\n")
                    return b" 200 " in await reader.readline()
                finally:
                    writer.close()
        return False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = [address for address, is_ready in self._ready.items() if is_ready]
        if not ready:
            writer.transport.abort()  # as a Service without endpoints refuses
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*ready[next(self._turn) % len(ready)])
        except OSError:  # it has just left
            writer.transport.abort()
            return
        await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, until it ends."""
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
