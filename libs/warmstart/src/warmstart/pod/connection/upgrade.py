"""Offers to change the protocol (`Upgrade`, RFC 9110 section 7.8): one that is not taken up is ignored.

httptools takes each offer for accepted: it ends the request after its head, raises HttpParserUpgrade, and parses what
follows as the next request. uvicorn then serves an empty body, and the body that was sent is a request of its own,
which a sender can smuggle past a proxy. Both reports are open (Kludex/uvicorn#2722, MagicStack/httptools#124, looked at
in November 2026; the fixes proposed as uvicorn#2857, #2909, #3037 and #3064 were closed). Java's HttpClient offers
`h2c` with every request to an `http://` address.
"""

from collections.abc import Iterable
from urllib.parse import unquote

import httptools
from starlette.routing import Match
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Upgradable(HttpToolsProtocol):
    """uvicorn's connection, which ignores an offer unless it is a WebSocket handshake for a route.

    For a declined offer, a new parser reads the request again: the same head without the offer, and then the body.
    """

    def parse(self, data: bytes) -> None:
        """Parse what came, in one piece or in many. Raises HttpParserError for what is no HTTP/1.1."""
        rest = memoryview(data)
        while True:
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as offer:
                if not self._should_upgrade():
                    self._decline()
                    rest = rest[offer.args[0] :]
                    continue
                self.handle_websocket_upgrade()
            return

    def _decline(self) -> None:
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if method == b"CONNECT":
            raise httptools.HttpParserInvalidMethodError("this is no proxy")
        head = _head(method, self.url, version, [each for each in self.headers if each[0] != b"upgrade"])
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does for its own
        self.parser.feed_data(head)

    def _should_upgrade(self) -> bool:
        return (
            super()._should_upgrade()
            and self.parser.get_method() == b"GET"
            and any(name == b"sec-websocket-key" for name, _ in self.headers)
            and _takes_websocket(self.config.app, self.url, self.headers, self.root_path)
        )

    def _declines(self) -> bool:
        return self.parser.should_upgrade() and not self._should_upgrade()

    def on_headers_complete(self) -> None:
        """Start the request, unless it will be read again."""
        if not self._declines():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End the request's body; for a declined request httptools calls this too early, so it is ignored."""
        if not self._declines():
            super().on_message_complete()


def _head(method: bytes, url: bytes, version: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    lines = [b"%s %s HTTP/%s" % (method, url, version.encode()), *(b"%s: %s" % header for header in headers)]
    return b"\r\n".join([*lines, b"", b""])


def _takes_websocket(app: object, url: bytes, headers: list[tuple[bytes, bytes]], root_path: str) -> bool:
    """Whether a route of `app` takes this WebSocket; an application without routes is left to decide."""
    routes = getattr(app, "routes", None)
    scope: Scope = {
        "type": "websocket",
        "path": root_path + unquote(httptools.parse_url(url).path.decode("ascii")),
        "root_path": getattr(app, "root_path", "") or root_path,  # as FastAPI sets it
        "headers": headers,
    }
    return routes is None or any(route.matches(scope)[0] is Match.FULL for route in routes)
