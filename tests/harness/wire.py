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

from servicekit.connection import Connection

TURNS = 5  # of the loop between two pieces, so that each arrives by itself


async def converse(app: ASGIApp, pieces: Iterable[bytes], timeout: float = 10) -> bytes:
    """What the server sends until it closes. Raises TimeoutError when it doesn't within `timeout` seconds."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    config = Config(app, lifespan="off", access_log=False, log_config=None)
    config.load()
    await loop.connect_accepted_socket(lambda: Connection(config, ServerState(), {}), theirs)
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        async with asyncio.timeout(timeout):
            for piece in pieces:
                writer.write(piece)
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
