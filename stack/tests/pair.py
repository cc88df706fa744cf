"""A client and a server that echoes, with the proxy between them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from stack.port_claims import free_ports
from stack.ports import HOST
from stack.toxic.proxy import Proxy, Toxics
from stack.toxic.toxics import Toxic, dumps

LIMIT = 10.0  # seconds for anything that is expected to happen

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Pair:
    """A client's connection through the proxy to a server that echoes."""

    def __init__(self, file: Path, port: int) -> None:
        self._file, self._port = file, port
        self.served = 0  # connections that reached the server
        self.server_ended = asyncio.Event()
        self.serve: Serve = self.echo  # each connection

    def turn(self, *words: str) -> None:
        unfinished = self._file.with_suffix(".new")  # as `Site.share`: two changes within a tick of the file system's
        unfinished.write_text(dumps(Toxic.parse(words)))  # clock differ in their inodes alone
        unfinished.replace(self._file)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(HOST, self._port)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.serve(reader, writer)

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
    server = await asyncio.start_server(made.take, HOST, ports["worker"])
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
