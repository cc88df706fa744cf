"""An answer that is written piece by piece, as fast as its client reads it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping

from fastapi import Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from warmstart.errors import ServiceError
from warmstart.http.body_limit import release_body
from warmstart.http.deadline import lasting


async def in_turns(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Each piece; after it the event loop serves other requests."""
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)


class PiecesAnswer(Response):
    """JSON in pieces, each made when the one before it has gone out.

    Whole, 40 answers of 2,048 vectors at once took a process to 1,020 MiB; clients that read slowly held 16 MB each.
    REQUEST_TIMEOUT was for the work: a client has all the time that it takes to read, unless it set itself a limit.
    """

    def __init__(self, request: Request, pieces: Iterable[bytes], headers: Mapping[str, str]) -> None:
        self.status_code, self.background = 200, None
        self.init_headers({**headers, "Content-Type": "application/json"})
        self._request = request
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        lasting(self._request, _nothing)
        release_body(self._request)  # whose room others need while this client reads
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for piece in in_turns(self._pieces):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _nothing(_: ServiceError) -> bytes:
    return b""
