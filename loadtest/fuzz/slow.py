"""500 connections of four kinds that send next to nothing; each one that the server closes is opened again."""

import asyncio
import time
from collections import Counter
from contextlib import suppress

from loadtest.fuzz.messages import TARGETS
from stack.ports import HOST

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


async def hold(port: int, part: str, done: asyncio.Event) -> dict[str, tuple[int, float]]:
    """Hold connections until `done` is set and the last one has ended.

    Returns by kind how many connections the server left open for `PATIENCE`, and the longest time in seconds of the
    others.
    """
    kinds = beginnings(part)
    names = list(kinds) * (CONNECTIONS // len(kinds))
    ended = await asyncio.gather(*(_hold_one(port, kinds[name], done) for name in names))
    open_ = Counter(name for name, seconds in zip(names, ended, strict=True) if seconds is None)
    return {
        kind: (open_[kind], max((s for name, s in zip(names, ended, strict=True) if name == kind and s), default=0.0))
        for kind in kinds
    }


async def _hold_one(port: int, beginning: bytes, done: asyncio.Event) -> float | None:
    """The longest time that the server left it open, in seconds; None when that reached `PATIENCE`."""
    longest = 0.0
    while (seconds := await _wait(port, beginning)) is not None:
        longest = max(longest, seconds)
        if done.is_set():
            return longest
    return None


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
