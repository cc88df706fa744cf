"""Limits on a request's body: its size, alone and with other bodies, its JSON values; and no compression.

Starlette's own `RequestBodyLimitMiddleware` answers in plain text and doesn't name the limit.
"""

from collections.abc import Mapping
from functools import partial
from json import detect_encoding

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warmstart.errors import BadRequest, PayloadTooLarge, ServiceError, UnsupportedEncoding
from warmstart.http.errors import Respond
from warmstart.http.json_values import more_values_than
from warmstart.http.paths import path_of
from warmstart.http.room import Room
from warmstart.settings.service import ServiceSettings

KEY = "warmstart.body"  # of the scope


def release_body(request: Request) -> None:
    """Let go of a body that was read, and free its room for others': for an answer that lasts.

    The request forgets what it keeps of it: `body()` and `json()` raise a RuntimeError from here on.
    """
    for kept in ("_body", "_json"):
        vars(request).pop(kept, None)
    body: _Body = request.scope[KEY]
    body.release()


class BodyLimit:
    """Refuses, before it is read, a body that is too large (413), encoded (415), or finds no room now (503).

    A JSON body reaches the application in one piece, and only if parsing it is bounded: 4 MiB of `[[],[],…` took
    1.3 GiB and 11 s of the event loop.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings, answer: Respond, advice: Mapping[str, str]) -> None:
        self._app = app
        self._answer = answer
        self._limit = settings.max_body_bytes
        self._values = settings.max_body_values
        self._advice = advice
        self._room = Room(settings.max_body_bytes_in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = scope[KEY] = _Body(receive, self._limit, self._room)
        headers = dict(scope["headers"])
        try:
            _check_encoding(headers)
            declared = headers.get(b"content-length", b"0")
            body.expect(int(declared) if declared.isdigit() else 0)
        except ServiceError as error:
            await self._answer(error)(scope, receive, send)
            return

        read = partial(self._json, body, path_of(scope)) if _may_be_json(scope) else body.receive
        answered = 0

        async def note(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = message["status"]
            await send(message)

        try:
            await self._app(scope, body.noting(read), note)
        except ServiceError as error:
            # Middleware that reads the body: starlette answers, and raises again for the log. A refusal that was
            # answered as one is no fault.
            if error is not body.refusal or answered != error.status:
                raise
        finally:
            body.release()

    async def _json(self, body: "_Body", path: str) -> Message:
        """The whole body. Raises BadRequest for one that is not to be parsed."""
        message = await body.receive_all()
        text = message.get("body", b"")
        if not detect_encoding(text).startswith("utf-8"):  # in UTF-16 a letter may have a quotation mark's byte
            raise BadRequest("the body is not valid JSON: it must be in UTF-8", code="json_invalid")
        if more_values_than(self._values, text):
            advice = f"; {self._advice[path]}" if path in self._advice else ""
            raise BadRequest(f"the body holds more than {self._values} JSON values{advice}", code="too_many_values")
        return message


class _Body:
    """The body of one request, as much of it as has arrived."""

    def __init__(self, receive: Receive, limit: int, room: Room) -> None:
        self._receive = receive
        self._limit = limit
        self._room = room
        self._read = self._held = 0
        self.refusal: ServiceError | None = None

    def expect(self, size: int) -> None:
        """Reserve room for `size` bytes. Raises PayloadTooLarge or Overloaded."""
        if size > self._limit:
            raise PayloadTooLarge(f"the body is larger than the limit of {self._limit} bytes")
        if size > self._held:
            self._room.take(size - self._held, size)
            self._held = size

    async def receive(self) -> Message:
        """Receive the next piece."""
        message = await self._receive()
        if size := len(message.get("body", b"")):  # that the client has left takes no room again
            self._read += size
            self.expect(self._read)
        return message

    async def receive_all(self) -> Message:
        """Receive the rest in one piece, or the message that the client has left."""
        pieces = []
        while True:
            message = await self.receive()
            pieces.append(message.get("body", b""))
            if not message.get("more_body"):
                return {**message, "body": b"".join(pieces)} if message["type"] == "http.request" else message

    def noting(self, read: Receive) -> Receive:
        """`read`, of which `refusal` is what it raised."""

        async def receive() -> Message:
            try:
                return await read()
            except ServiceError as error:
                self.refusal = error
                raise

        return receive

    def release(self) -> None:
        """Free the room, at the end of the request or before."""
        self._room.give(self._held)
        self._held = 0


def _may_be_json(scope: Scope) -> bool:
    """Whether any Content-Type names JSON: if there are several, FastAPI reads the first, others the last."""
    return any(name == b"content-type" and b"json" in value.lower() for name, value in scope["headers"])


def _check_encoding(headers: dict[bytes, bytes]) -> None:
    encoding = headers.get(b"content-encoding", b"").strip().lower()
    if encoding not in (b"identity", b""):
        raise UnsupportedEncoding(encoding.decode("ascii", "replace"))
