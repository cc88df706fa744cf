"""Raw bytes to one connection of an application, over a pair of sockets in this process's loop, and what comes back."""

import asyncio
import json
import re
import socket
from collections.abc import Iterable
from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.server import ServerState

from warmstart.pod.connection.lifetime import Connection

TURNS = 5  # of the loop between two pieces, so that each arrives by itself


async def connect(
    app: ASGIApp, kind: type[Connection] = Connection
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, Connection]:
    """The client's two ends, and the server's connection."""
    ours, theirs = socket.socketpair()
    config = Config(app, lifespan="off", access_log=False, log_config=None)
    config.load()
    made = kind(config, ServerState(), {})
    await asyncio.get_running_loop().connect_accepted_socket(lambda: made, theirs)
    reader, writer = await asyncio.open_connection(sock=ours)
    writer.transport.set_write_buffer_limits(0)
    return reader, writer, made


async def converse(
    app: ASGIApp, pieces: Iterable[bytes], kind: type[Connection] = Connection, timeout: float = 10
) -> bytes:
    """What the server sends until it closes, read when all is sent. Raises TimeoutError if it doesn't close in time."""
    reader, writer, _ = await connect(app, kind)
    try:
        async with asyncio.timeout(timeout):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                for _ in range(TURNS):
                    await asyncio.sleep(0)
            return await reader.read()
    finally:
        writer.close()


def statuses(sent: bytes) -> list[int]:
    """The status of each answer in `sent`."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", sent)]


def bodies(sent: bytes) -> list[Any]:
    """The JSON body of each answer in `sent`, in order. Raises ValueError when there is anything else."""
    found = []
    while sent:
        head, _, rest = sent.partition(b"\r\n\r\n")
        length = int(re.findall(rb"\ncontent-length: (\d+)", head)[0])
        found.append(json.loads(rest[:length]))
        sent = rest[length:]
    return found
