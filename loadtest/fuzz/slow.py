"""500 connections that send next to nothing, of four kinds, until the server closes each."""

import asyncio
import time
from collections import Counter
from contextlib import suppress

from loadtest.bench.connection import HOST
from loadtest.fuzz.messages import TARGETS

CONNECTIONS = 500
PATIENCE = 90.0  # seconds: longer than any limit of the services


def beginnings(part: str) -> dict[str, bytes]:
    """What each kind sends before it falls silent."""
    line = f"POST {TARGETS[part].path} HTTP/1.1\r\n"
    half = f"{line}Host: slow\r\nContent-Type: application/json\r\nContent-"
    return {
        "silence": b"",
        "half a line": line[:9].encode(),
        "half the headers": half.encode(),
        "half a body": f'{half}Length: 100\r\n\r\n{{"input": "'.encode(),
    }


async def hold(port: int, part: str) -> dict[str, tuple[int, float]]:
    """By kind: how many the server had not closed within `PATIENCE`, and the seconds after which the last one ended."""
    kinds = beginnings(part)
    names = list(kinds) * (CONNECTIONS // len(kinds))
    ended = await asyncio.gather(*(_wait(port, kinds[name]) for name in names))
    open_ = Counter(name for name, seconds in zip(names, ended, strict=True) if seconds is None)
    return {
        kind: (open_[kind], max((s for name, s in zip(names, ended, strict=True) if name == kind and s), default=0.0))
        for kind in kinds
    }


async def _wait(port: int, beginning: bytes) -> float | None:
    """Seconds until the server closed the connection."""
    reader, writer = await asyncio.open_connection(HOST, port)
    began = time.monotonic()
    try:
        writer.write(beginning)
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionError):
                await reader.read()
        return time.monotonic() - began
    except TimeoutError:
        return None
    finally:
        writer.close()
