"""Stopping work whose client has left: uvicorn does not cancel the handler (fastapi issue 3766)."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from fastapi import Request

from warmstart.errors import ClientGone

T = TypeVar("T")


async def unless_disconnected(request: Request, work: Awaitable[T]) -> T:
    """Return the result of `work`, or cancel it and raise ClientGone when the client leaves.

    Call it after the request's body was read. The work goes on in the caller's task, as under `asyncio.timeout`: a task
    of its own would make every request slower, and only those whose client leaves need it.
    """
    try:
        async with asyncio.timeout(None) as until_it_leaves:
            watching = asyncio.create_task(_end_when_left(request, until_it_leaves))
            try:
                return await work
            finally:
                watching.cancel()
    except TimeoutError:
        if until_it_leaves.expired():
            raise ClientGone("the client has left") from None
        raise


async def _end_when_left(request: Request, work: asyncio.Timeout) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    work.reschedule(asyncio.get_running_loop().time())
