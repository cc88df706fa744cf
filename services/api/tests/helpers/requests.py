"""Requests as the embedder sees them: a time budget, and a client that may leave."""

import asyncio
from types import SimpleNamespace
from typing import Any

from starlette.requests import Request

from warmstart.http.budget import KEY


def request(budget: float = 10.0, leaves: asyncio.Event | None = None) -> Request:
    """A request with `budget` seconds left, whose client leaves at the event."""

    async def receive() -> dict[str, Any]:
        await (leaves or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    given = SimpleNamespace(deadline=asyncio.get_running_loop().time() + budget)
    return Request({"type": "http", KEY: given}, receive)
