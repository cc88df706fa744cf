"""Stand-ins for two imports of a real service: a model of joblib, and a client of Redis."""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path


class SlowModel:
    """Like `joblib.load("model.pkl")`: it loads for seconds, in a thread that nothing can interrupt.

    The model is broken while there is a file `model-broken` in the working directory.
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
    """Like `redis.asyncio.Redis`, as far as the guide needs it."""

    def __init__(self, address: str) -> None:
        self._host, _, self._port = address.partition(":")

    async def command(self, *words: str) -> str:
        """The first line of the answer. Raises OSError when no server answers."""
        reader, writer = await asyncio.open_connection(self._host, int(self._port))
        try:
            writer.write(f"{' '.join(words)}\r\n".encode())
            return (await reader.readline()).decode().strip()
        finally:
            writer.close()
