"""Stand-ins for what a service imports from elsewhere: a model of joblib, a client of Redis."""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path


class SlowModel:
    """As `joblib.load("model.pkl")`: it takes seconds, in a thread that nothing can interrupt.

    It is broken while there is a file `model-broken` in the working directory.
    """

    def __init__(self) -> None:
        time.sleep(float(os.environ.get("LOAD_SECONDS", "3")))

    def predict(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """One number a row; a row's first number is also how many seconds it takes. Raises RuntimeError when broken."""
        time.sleep(max(row[0] for row in rows))
        if Path("model-broken").exists():
            raise RuntimeError("the model gives nothing but NaN")
        return [float(sum(row)) for row in rows]


class RedisClient:
    """As `redis.asyncio.Redis`, as far as these pages go."""

    def __init__(self, address: str) -> None:
        self._host, _, self._port = address.partition(":")

    async def command(self, *words: str) -> str:
        """The first line of the answer. Raises OSError when there is no server."""
        reader, writer = await asyncio.open_connection(self._host, int(self._port))
        try:
            writer.write(f"{' '.join(words)}\r\n".encode())
            return (await reader.readline()).decode().strip()
        finally:
            writer.close()
