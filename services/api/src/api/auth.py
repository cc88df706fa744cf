"""Who calls: bearer keys, compared in constant time, before anything else of the request is looked at."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from fastapi.security import HTTPBearer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from servicekit.errors import Unauthorized, respond

PREFIX = "/v1/"
bearer = HTTPBearer(auto_error=False, description="a key of `API_KEYS`")  # for the OpenAPI document


class Keys:
    """The accepted keys, as digests of one length, so that comparing tells nothing about theirs."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [sha256(key.encode()).digest() for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def owner(self, key: str) -> str | None:
        """A name for the key's owner that does not give the key away, or None for an unknown key."""
        digest = sha256(key.encode("utf-8", "surrogateescape")).digest()
        known = [hmac.compare_digest(digest, each) for each in self._digests]
        return f"key {known.index(True)}" if any(known) else None


class Identify:
    """Notes who calls as `request.state.caller`: a key's owner, or, without keys, the address.

    With keys, 401 for a request to `/v1/` that has none of them, before its body is read.
    """

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            caller = self._owner(scope) if self._keys else _address(scope)
            if caller is None:
                error = Unauthorized("a valid API key is needed: Authorization: Bearer <key>")
                await respond(error)(scope, receive, send)
                return
            scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    def _owner(self, scope: Scope) -> str | None:
        kind, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        return self._keys.owner(key) if kind.lower() == "bearer" else None


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "unknown"
