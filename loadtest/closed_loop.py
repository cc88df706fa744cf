"""Closed-loop load: each of so many clients sends its next request when it has the answer to its last.

A slow server is asked less often, so only the open loop shows the latency for independent users.
"""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from loadtest.connection import Connection
from stack.http import Answer

T = TypeVar("T")

AFTER_FAILURE = 0.01  # seconds after a failure: a server that is gone would refuse thousands of connections a second


@dataclass(frozen=True, slots=True)
class Sent(Generic[T]):
    """One request.

    Attributes:
        client: its number, from 0.
        what: the kind of request, as its iterator names it.
        at: when its client began with it, before connecting, in monotonic seconds.
        seconds: from then until the answer was complete, or the request had failed.
        error: the name of the error if there was no answer.
    """

    client: int
    what: T
    at: float
    seconds: float
    answer: Answer | None
    error: str = ""

    @property
    def outcome(self) -> int | str:
        """The status, or the error."""
        return self.answer.status if self.answer else self.error


class ClosedLoop(Generic[T]):
    """Runs with `await loop.run(seconds)`, or in a thread beside the block of `with loop:`, until its end.

    No request is sent twice. A connection is used until the server says that it will close it. If the server closes it
    without saying so, the next request has an error.

    Args:
        port: of the server, on this machine.
        requests: the kind and the bytes of each request; shared by all clients.
        note: called with each request, in the thread of the loop.
        clients: how many.
        age: seconds after which a connection is not used again; 0 opens one for each request.
        timeout: seconds for one request.
    """

    def __init__(
        self,
        port: int,
        requests: Iterator[tuple[T, bytes]],
        note: Callable[[Sent[T]], None],
        clients: int = 1,
        *,
        age: float = math.inf,
        timeout: float = 60.0,
    ) -> None:
        self.opened = 0  # connections
        self.pause = 0.0  # seconds before each further request of a client
        self._port, self._requests, self._note = port, requests, note
        self._clients, self._age, self._timeout = clients, age, timeout
        self._ends, self._leaves = math.inf, False
        self._thread = threading.Thread(target=lambda: asyncio.run(self.run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join()

    def stop(self) -> None:
        """Let each client get its last answer, and stop."""
        self._ends = -math.inf

    def leave(self) -> None:
        """Let each client go on until its connection ends; then it opens no other."""
        self._leaves = True

    async def run(self, seconds: float = math.inf) -> None:
        """Returns when all clients have stopped; none begins a request more than so many seconds from now."""
        self._ends = min(self._ends, time.monotonic() + seconds)
        await asyncio.gather(*(self._client(number) for number in range(self._clients)))

    async def _client(self, number: int) -> None:
        connection: Connection | None = None
        old = 0.0
        while (began := time.monotonic()) < self._ends and not (self._leaves and connection is None):
            what, request = next(self._requests)
            answer, error = None, ""
            try:
                async with asyncio.timeout(self._timeout):
                    if connection is None:
                        self.opened += 1
                        connection = await Connection.open(self._port)
                        old = time.monotonic() + self._age
                    answer = await connection.exchange(request)
            except (OSError, TimeoutError) as failure:
                error = type(failure).__name__
            self._note(Sent(number, what, began, time.monotonic() - began, answer, error))
            if connection and (error or connection.ended or time.monotonic() >= old):
                connection.close()
                connection = None
            if wait := AFTER_FAILURE if error else self.pause:
                await asyncio.sleep(wait)
        if connection:
            connection.close()
