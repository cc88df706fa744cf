"""The limits of a connection: how long it may be silent, how large a head may be, and how it ends."""

import asyncio
import logging
from typing import Any, ClassVar

import httptools
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from warmstart import request_id
from warmstart.errors import BadRequest, HeadersTooLarge, RequestTimeout, ServiceError, respond
from warmstart.pod.connection.heads import check
from warmstart.pod.connection.lingering import Lingering
from warmstart.pod.connection.upgrade import Upgradable
from warmstart.security_headers import SecurityHeaders

log = logging.getLogger("warmstart.connection")

LAST_SECONDS = 1.0  # for what a client still sends when the server stops


class Bounded(Upgradable):
    """uvicorn's connection with limits: uvicorn has none before a head is complete, and none on its size.

    An error of the connection has the same body as any other, and ends the connection.
    """

    header_timeout: ClassVar[float] = 10.0  # seconds for a first byte, and from there to the end of the head
    max_header_bytes: ClassVar[int] = 32 * 2**10  # of a head, and of anything else that is neither head nor body
    close_timeout: ClassVar[float] = 10.0  # seconds for a client to read its answer, or to end its body after it

    security: ClassVar[SecurityHeaders] = SecurityHeaders()

    transport: Lingering  # type: ignore[assignment]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first byte."""
        lingering: Any = Lingering(transport, self.close_timeout, self.loop.call_later)
        super().connection_made(lingering)
        self._in_head = self._deaf = self._progress = False
        self._trailers = 0  # bytes of this request's
        self._incomplete = 0  # bytes since a head or a piece of body was complete
        self._running: RequestResponseCycle | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        self._stop_head_timer()
        self.transport.release()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data. Refuse what can't be parsed, and what doesn't become complete within its limit."""
        if self._deaf or self.transport.lingers:
            self.transport.discard(len(data))
        if self._deaf:
            return
        self._unset_keepalive_if_required()
        self._progress = False
        try:
            self.parse(data)
        except httptools.HttpParserError as error:
            cause = error.__context__
            known = isinstance(cause, ServiceError)
            self._refuse(cause if known else BadRequest(f"not HTTP/1.1: {error}", code="invalid_http"))  # type: ignore[arg-type]
            return
        self._incomplete = 0 if self._progress else self._incomplete + len(data)
        if self._incomplete > self.max_header_bytes:
            self._refuse(HeadersTooLarge(self.max_header_bytes))
        elif self._in_head or not (self.transport.client_sends or self._answering):
            self._await_head()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_head = self.transport.client_sends = True
        self._trailers = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header. Those after a body (trailers) are dropped: they could change a request that is under way."""
        if self._in_head:
            super().on_header(name, value)
            return
        self._trailers += len(name) + len(value)
        if self._trailers > self.max_header_bytes:
            raise HeadersTooLarge(self.max_header_bytes)

    def on_headers_complete(self) -> None:
        """Begin to answer, unless the connection is about to end."""
        self._in_head, self._progress = False, True
        self._stop_head_timer()
        check(self.parser.get_http_version(), self.url, self.headers, self.max_header_bytes)
        if self.parser.get_http_version() == "1.0":
            self.expect_100_continue = False  # RFC 9110, section 10.1.1
        if not self.transport.is_closing():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body; it is dropped when the request is already answered."""
        self._progress = True
        if not self.transport.lingers:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of a request."""
        self._progress = True
        super().on_message_complete()
        self.transport.client_sends = False
        if self.transport.lingers:
            self.transport.finish()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the protocol for WebSockets."""
        self._stop_head_timer()
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        """The kernel's buffer is full: the client must read in time."""
        super().pause_writing()
        self.transport.hold()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if not self.transport.is_closing():
            self.transport.release()

    def shutdown(self) -> None:
        """Called by the server when it stops."""
        if not self.transport.lingers:
            super().shutdown()
        if self.transport.lingers:
            self.loop.call_later(LAST_SECONDS, self.transport.finish)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:  # type: ignore[override]
        async def closing(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_and_close(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self.transport.answered = scope
                    self.transport.hold_back()
                    if cycle.more_body:
                        cycle.keep_alive = False  # the request was answered before it was read
                await send(message)

            await app(scope, receive, send_and_close)

        self._running = cycle
        super()._start_asgi_task(cycle, closing)  # type: ignore[arg-type]

    @property
    def _answering(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def _await_head(self) -> None:
        if self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(self.header_timeout, self._head_is_late)

    def _stop_head_timer(self) -> None:
        if self._head_timer:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._answering:  # a pipelined request, which is not read before its turn
            self._await_head()
        elif self._in_head:
            self._refuse(RequestTimeout(f"the request's head took longer than {self.header_timeout:g} s"))
        else:
            self.transport.close()

    def _refuse(self, error: ServiceError) -> None:
        """Read no more. Earlier requests get their answers; then this one gets `error`, if it is next."""
        self._stop_head_timer()
        self._deaf = self.transport.client_sends = True
        if self.transport.lingers:
            self.transport.finish()
            return
        if self.pipeline and self.pipeline[0][0].more_body:
            self.pipeline.popleft()
        last = self.pipeline[0][0] if self.pipeline else self._running
        if last and not last.response_complete and not last.more_body:
            last.keep_alive = False
            return
        if last and not last.response_complete:
            last.disconnected = True
            last.message_event.set()
        if not (last and last.response_started and not last.response_complete):
            self._write(error)
        self.transport.close()

    def _write(self, error: ServiceError) -> None:
        named = (request_id.RAW_HEADER, request_id.begin({"headers": self.headers or []}).encode())
        log.info("refused a request of %s: %d %s", self.client[0] if self.client else "?", error.status, error.message)
        answer = respond(error)
        security = self.security.missing(answer.headers)
        headers = [*self.server_state.default_headers, *answer.headers, *security, named, (b"connection", b"close")]
        lines = [b"%s: %s\r\n" % header for header in headers]
        self.transport.write(b"".join([STATUS_LINE[error.status], *lines, b"\r\n", answer.body]))
