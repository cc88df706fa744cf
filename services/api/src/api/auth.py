"""Authenticates callers by bearer keys, in constant time, before anything else of the request is read."""

from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.keys.entries import Entry
from warmstart.errors import Unauthorized, respond
from warmstart.http.bearer import Bearers
from warmstart.http.operators import Known, nobody
from warmstart.http.paths import path_of

PREFIX = "/v1/"
SCHEME = {"type": "http", "scheme": "bearer", "description": "a key of `API_KEYS`"}


class Authenticate:
    """401 for a request to `/v1/` without one of the keys, before its body is read; WebSockets are requests, too.

    The path is the one that routes are found by: behind a prefix (`--root-path`, a mount) keys count as anywhere.
    `known` lets in, without an owner, a request whose route has a check of its own.
    The key's owner is noted as `request.state.caller`, for the quota and the access log, and its own quota as
    `request.state.quota`. A request that has been let in goes on when its key is revoked.
    """

    def __init__(self, app: ASGIApp, keys: Bearers[Entry], known: Known = nobody) -> None:
        self._app = app
        self._keys = keys
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "lifespan" and path_of(scope).startswith(PREFIX):
            owner = self._keys.of(scope)
            if owner:
                state = scope.setdefault("state", {})
                state["caller"], state["quota"] = owner.name, owner.quota
            elif not self._known(scope):
                await respond(_refusal(scope))(scope, receive, send)
                return
        await self._app(scope, receive, send)


def document_keys(app: FastAPI) -> None:
    """Have the OpenAPI document ask for a key.

    FastAPI's own way, a dependency, would be solved anew for each request: a tenth of a cache hit's time.
    """
    make = app.openapi

    def with_keys() -> dict[str, Any]:
        document = make()  # kept by the application, and the same each time
        document.setdefault("components", {})["securitySchemes"] = {"HTTPBearer": SCHEME}
        for path, operations in document["paths"].items():
            for operation in operations.values() if path.startswith(PREFIX) else ():
                operation["security"] = [{"HTTPBearer": []}]
        return document

    app.openapi = with_keys  # type: ignore[method-assign]


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


def quota_of(scope: Scope) -> str:
    """The quota of the request's own key; empty when it has none."""
    quota: str = scope.get("state", {}).get("quota", "")
    return quota


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
