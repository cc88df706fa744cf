"""What a request's body may be: so large, declared or sent in pieces, and not compressed.

Starlette's own `RequestBodyLimitMiddleware` answers in plain text and doesn't name the limit.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.errors import PayloadTooLarge, UnsupportedEncoding, respond


class BodyLimit:
    """Answers 413 when the body is larger than `limit` bytes, before reading more of it, and 415 when it is encoded."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request within the limit."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        encoding = headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding not in (b"identity", b""):
            await respond(UnsupportedEncoding(encoding.decode("ascii", "replace")))(scope, receive, send)
            return
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._limit:
            await respond(self._error())(scope, receive, send)
            return
        read = 0

        async def receive_and_count() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._limit:
                raise self._error()
            return message

        await self._app(scope, receive_and_count, send)

    def _error(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"the body is larger than the limit of {self._limit} bytes")
