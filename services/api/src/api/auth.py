"""Who calls: bearer keys, compared in constant time."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from fastapi import Request
from fastapi.security import HTTPBearer

from servicekit.errors import Unauthorized

bearer = HTTPBearer(auto_error=False, description="a key of `API_KEYS`")


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


async def identify(request: Request) -> None:
    """Note who calls as `request.state.caller`: a key's owner, or, without keys, the address.

    Raises Unauthorized when there are keys and the request has none of them.
    """
    keys: Keys = request.app.state.keys
    if not keys:
        request.state.caller = request.client.host if request.client else "unknown"
        return
    credentials = await bearer(request)
    owner = keys.owner(credentials.credentials) if credentials else None
    if owner is None:
        raise Unauthorized("a valid API key is needed: Authorization: Bearer <key>")
    request.state.caller = owner
