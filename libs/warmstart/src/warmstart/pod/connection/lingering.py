"""Closing a connection whose client may still be sending, so that the client can read its answer."""

import asyncio
from collections.abc import Callable
from typing import Any

DISCARD_BYTES = 64 * 2**20  # of a request that was answered before it was read; nginx reads on without a limit


class Lingering:
    """A transport as uvicorn uses it, whose `close` is bounded, and reads what the client still sends.

    Closed with bytes unread, the kernel resets the connection, and the client may lose the answer (RFC 9112, section
    9.6). So the answer is ended, and what comes is dropped, `seconds` and DISCARD_BYTES at most. A client that reads
    nothing of its answer for `seconds` is cut, too; one that reads slowly gets all of it.
    """

    def __init__(self, transport: asyncio.Transport, seconds: float, later: Callable[..., asyncio.TimerHandle]) -> None:
        self._transport = transport
        self._seconds = seconds
        self._later = later
        self._left = DISCARD_BYTES
        self._cut: asyncio.TimerHandle | None = None
        self._unsent = 0  # bytes, when that timer was set
        self.client_sends = False  # a part of a request is missing, or it can't be told where it ends
        self.lingers = False
        self.write = transport.write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether nothing more will be written."""
        return self.lingers or self._transport.is_closing()

    def close(self) -> None:
        """End the answer; close at once, or when the client has sent all."""
        if self.is_closing():
            return
        self.hold()
        if self.client_sends and not self._transport.get_extra_info("sslcontext"):  # TLS has no end of one side
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
        """The client has sent all, or there is no time: close."""
        self._transport.close()

    def hold(self) -> None:
        """The client must read, or end: it has `seconds` from now."""
        self.release()
        self._unsent = self._transport.get_write_buffer_size()
        self._cut = self._later(self._seconds, self._cut_unless_read)

    def release(self) -> None:
        """The client reads, or is gone."""
        if self._cut:
            self._cut.cancel()
            self._cut = None

    def _cut_unless_read(self) -> None:
        if self._transport.get_write_buffer_size() < self._unsent:
            self.hold()
        else:
            self._transport.abort()
