"""Authenticates callers by bearer keys, in constant time, before anything else of the request is read."""

import hmac
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Address, ip_address, ip_network

from fastapi.security import HTTPBearer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from warmstart.errors import Unauthorized, respond

PREFIX = "/v1/"
bearer = HTTPBearer(auto_error=False, description="a key of `API_KEYS`")  # for the OpenAPI document


class Keys:
    """The accepted keys, as digests of one length, so that a comparison reveals nothing about the length of a key."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [sha256(key.encode()).digest() for key in keys]
        # Not the key's index, which changes when another key is removed: the key would then inherit that key's count.
        self._owners = [f"key {sha256(b'owner of ' + key.encode()).hexdigest()[:8]}" for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def owner(self, key: str) -> str | None:
        """A name for the owner of a key, which doesn't reveal the key, or None for an unknown key."""
        digest = sha256(key.encode("utf-8", "surrogateescape")).digest()
        known = [hmac.compare_digest(digest, each) for each in self._digests]
        return self._owners[known.index(True)] if any(known) else None


class Authenticate:
    """401 for a request to `/v1/` without one of the keys, before its body is read.

    The key's owner is noted as `request.state.caller`.
    """

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            caller = self._owner(scope)
            if caller is None:
                await respond(_refusal(scope))(scope, receive, send)
                return
            scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    def _owner(self, scope: Scope) -> str | None:
        kind, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        return self._keys.owner(key) if kind.lower() == "bearer" else None


def _refusal(scope: Scope) -> Unauthorized:
    # RFC 6750, section 3: the challenge names an error only when there were credentials.
    challenge = 'Bearer error="invalid_token"' if "authorization" in Headers(scope=scope) else "Bearer"
    message = "a valid API key is needed: Authorization: Bearer <key>"
    return Unauthorized(message, headers={"WWW-Authenticate": challenge})


def caller_of(scope: Scope) -> str:
    """The name under which a request is counted: its key's owner or, without keys, the client's network."""
    owner: str | None = scope.get("state", {}).get("caller")
    client = scope.get("client")
    return owner or network_of(client[0] if client else "")


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """An IPv4 address, or the /64 network of an IPv6 address, all of which one subscriber has; else `unknown`.

    Only a trusted proxy can send text that is no address: `unknown` and `_hidden` are valid in RFC 7239.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return "unknown"
    ip = ip if isinstance(ip, IPv4Address) else ip.ipv4_mapped or ip
    return str(ip) if isinstance(ip, IPv4Address) else str(ip_network((int(ip), 64), strict=False))
