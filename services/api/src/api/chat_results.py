"""How chats ended: each call is counted once, whatever ends it, and also where no chat server is."""

from collections.abc import Awaitable
from dataclasses import dataclass

import orjson
from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warmstart.errors import Overloaded
from warmstart.http.paths import path_of

PATH = "/v1/chat/completions"
KEY = "api.chat_result"  # of a scope
OF_ITSELF = ("answered", "left", "cut", "refused", "rejected", "search", "off")
OF_THE_SERVER = ("unavailable", "limited", "silent", "broken", "failed")
_CHATS = Counter("api_chats", "Chats by how they ended", ["result"])
_RESULTS = {result: _CHATS.labels(result) for result in (*OF_ITSELF, *OF_THE_SERVER)}


@dataclass
class Ended:
    """How one chat ended. What ends one before there is an answer to it leaves no more than its status and its code."""

    result: str = ""
    asked: bool = False  # whether the chat server was
    status: int = 0
    code: object = None  # of an error in one piece

    def count(self) -> None:
        """Count it."""
        _RESULTS[self.result or self._guess()].inc()

    def _guess(self) -> str:
        if self.status in (0, 504):
            return "cut"
        if self.code == Overloaded.code:  # there was no room for its body
            return "refused"
        return "rejected" if self.status < 500 else "search"


class CountChats:
    """Stands outside of all that may refuse a chat but for the gate, and counts each one at its end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request; most are no chats."""
        is_chat = scope["type"] == "http" and scope["method"] == "POST" and path_of(scope) == PATH
        return (self._chat if is_chat else self._app)(scope, receive, send)

    async def _chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        ended = scope[KEY] = Ended()

        async def send_and_note(message: Message) -> None:
            ended.status = message.get("status", ended.status)
            if ended.status == 503 and not ended.result:
                ended.code = _code(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            ended.count()


def _code(body: bytes) -> object:
    try:
        return orjson.loads(body)["error"]["code"]
    except (ValueError, TypeError, LookupError):
        return None
