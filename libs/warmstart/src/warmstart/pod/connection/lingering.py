"""Writes the head of an answer with its body, and closes a connection so that the client can read its answer."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from starlette.types import Scope

from warmstart.pod.connection.unread import unread

log = logging.getLogger("warmstart.connection")

DISCARD_BYTES = 64 * 2**20  # of a request that was answered before it was read; nginx has no such limit


class Lingering:
    """uvicorn's transport, which writes a head and its body in one packet, and whose `close` is bounded.

    When a connection is closed with unread bytes, the kernel resets it, and the client may lose the answer (RFC 9112,
    section 9.6). So `close` ends the answer, and drops further bytes for at most `seconds` and DISCARD_BYTES. It
    also cuts a client that reads nothing of its answer for `seconds`; a client that reads slowly gets the whole answer.
    """

    def __init__(self, transport: asyncio.Transport, seconds: float, later: Callable[..., asyncio.TimerHandle]) -> None:
        self._transport = transport
        self._holds = False
        self._head = b""  # of an answer whose body may come in this turn of the event loop
        self._seconds = seconds
        self._later = later
        self._left = DISCARD_BYTES
        self._cut: asyncio.TimerHandle | None = None
        self._unread = 0  # bytes, when the timer was set
        self.answered: Scope | None = None  # the request whose answer was begun last
        self.client_sends = False  # part of a request is missing, or its end is unknown
        self.lingers = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def hold_back(self) -> None:
        """The next write is a head, which goes out with the write after it, or alone after this turn of the event loop.

        uvicorn writes head and body one by one, and uvloop sends each at once: two system calls, and two packets.
        A head that still waits goes out first: answers to pipelined requests may have no body.
        """
        self._flush()
        self._holds = True

    def write(self, data: bytes) -> None:
        """Write it, after what was held back."""
        if self._holds:
            self._holds, self._head = False, data
            self._later(0, self._flush)
        elif self._head:
            head, self._head = self._head, b""
            # No empty piece: from Python 3.12 on, asyncio's own loop tries to send it for ever.
            self._transport.writelines((head, data) if data else (head,))
        else:
            self._transport.write(data)

    def _flush(self) -> None:
        if self._head:
            self.write(b"")

    def is_closing(self) -> bool:
        """Whether nothing more will be written."""
        return self.lingers or self._transport.is_closing()

    def close(self) -> None:
        """End the answer; close now, or when the client has sent its whole request."""
        if self.is_closing():
            return
        self._flush()
        self.hold()
        if self.client_sends and not self._transport.get_extra_info("sslcontext"):  # TLS can't close one side only
            self.lingers = True
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()

    def discard(self, size: int) -> None:
        """Count bytes that were dropped."""
        self._left -= size
        if self._left < 0:
            self._transport.abort()

    def finish(self) -> None:
        """Close: the client has sent everything, or the time is over."""
        self._transport.close()

    def hold(self) -> None:
        """Give the client `seconds` from now to read, or to end its request."""
        self.release()
        self._unread = unread(self._transport)
        self._cut = self._later(self._seconds, self._cut_unless_read)

    def release(self) -> None:
        """Stop the timer: the client reads, or is gone."""
        if self._cut:
            self._cut.cancel()
            self._cut = None

    def _cut_unless_read(self) -> None:
        left = unread(self._transport)  # nothing: the client has read all, and had its time to end its request
        if left and left != self._unread:
            self.hold()
            return
        if left:
            path = self.answered["raw_path"] if self.answered else b"?"  # as it was sent: it can't forge a line
            said = path.decode("ascii", "backslashreplace")
            log.info("the answer of %s was cut off: its client read nothing for %g s", said, self._seconds)
        self._transport.abort()
