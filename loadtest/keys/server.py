"""A server that checks each request's key as the api does, and answers a right one as it answers a wrong one."""

import multiprocessing
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.types import Receive, Scope, Send

from stack.ports import HOST
from warmstart.http.bearer import Bearers, digest_of


class Server:
    """Only the time of the check differs between two answers."""

    def __init__(self, right: Sequence[bytes]) -> None:
        self._known = Bearers((digest_of(key.decode()), True) for key in right)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 204."""
        self._known.of(scope)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def _serve(listener: socket.socket, right: Sequence[bytes]) -> None:
    config = uvicorn.Config(Server(right), lifespan="off", access_log=False, log_level="error", http="httptools")
    uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def serving(right: Sequence[bytes]) -> Iterator[str]:
    """The URL of one, in a process of its own."""
    with socket.create_server((HOST, 0)) as listener:
        process = multiprocessing.get_context("fork").Process(target=_serve, args=(listener, right), daemon=True)
        process.start()
        try:
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            process.terminate()
            process.join(10)
