"""The messages: whole requests, requests that end too early, and requests with bytes replaced.

Each message hides a request in its body: a server that miscounts the body's length answers that request too.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

HIDDEN = b"GET /v1/models HTTP/1.1\r\nHost: hidden\r\n\r\n"
UPGRADES = ("h2c", "websocket", "TLS/1.0", "HTTP/2.0, SHTTP/1.3", "foo", "h2c, websocket")
CLOSE = "Connection: close"
Kind = Literal["whole", "cut", "damaged"]


@dataclass(frozen=True)
class Message:
    """Bytes for one connection.

    Attributes:
        kind: `whole` is answered once for each of `statuses`, with that status; `cut` never more often than that; of
            `damaged` the end is unknown. No answer may be a server error.
        name: how it was made.
    """

    kind: Kind
    name: str
    data: bytes
    statuses: tuple[int, ...]


@dataclass(frozen=True)
class Target:
    """A route that embeds, and its valid body for some texts."""

    path: str
    body: Callable[[Sequence[str]], object]


TARGETS = {
    "api": Target("/v1/embeddings", lambda texts: {"model": "all-MiniLM-L6-v2", "input": list(texts)}),
    "worker": Target("/embeddings/", lambda texts: {"texts": list(texts)}),
}


class Maker:
    """Makes messages for one service; the same seed gives the same ones."""

    def __init__(self, part: str, seed: int) -> None:
        self._target = TARGETS[part]
        self._random = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret

    def next(self) -> Message:
        """Make a message; four of six are whole."""
        makers = (self._plain, self._upgrade, self._chunked, self._pipelined, self._cut, self._damaged)
        return self._random.choice(makers)()

    def pieces(self, data: bytes) -> list[bytes]:
        """The bytes as up to six packets, split at random."""
        cuts = sorted(self._random.randrange(len(data) + 1) for _ in range(self._random.randrange(6)))
        return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if start < end]

    def _body(self) -> tuple[bytes, int]:
        """A body, and the status of its answer. The bodies that are no JSON are requests that must not be answered."""
        if self._random.random() < 0.3:
            return HIDDEN * self._random.randint(1, 3), 400
        texts = [HIDDEN.decode(), f"text {self._random.randrange(500)}"][: self._random.randint(1, 2)]
        return json.dumps(self._target.body(texts)).encode(), 200

    def _head(self, *lines: str) -> bytes:
        headers = ["Host: fuzz", "Content-Type: application/json", *lines]
        self._random.shuffle(headers)
        return "\r\n".join([f"POST {self._target.path} HTTP/1.1", *headers, "", ""]).encode()

    def _request(self, *lines: str) -> tuple[bytes, int]:
        body, status = self._body()
        return self._head(f"Content-Length: {len(body)}", *lines) + body, status

    def _plain(self) -> Message:
        data, status = self._request(CLOSE)
        return Message("whole", "plain", data, (status,))

    def _upgrade(self) -> Message:
        offer = self._random.choice(UPGRADES)
        lines = (f"Upgrade: {offer}", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__")
        first, status = self._request(*lines)
        last, last_status = self._request(CLOSE)
        return Message("whole", f"Upgrade: {offer}", first + last, (status, last_status))

    def _chunked(self) -> Message:
        body, status = self._body()
        data = self._head("Transfer-Encoding: chunked", CLOSE)
        while body:
            size = self._random.randint(1, len(body))
            data += f"{size:x}\r\n".encode() + body[:size] + b"\r\n"
            body = body[size:]
        return Message("whole", "chunked", data + b"0\r\n\r\n", (status,))

    def _pipelined(self) -> Message:
        requests = [self._request() for _ in range(self._random.randint(1, 3))] + [self._request(CLOSE)]
        data, statuses = zip(*requests, strict=True)
        return Message("whole", "pipelined", b"".join(data), statuses)

    def _cut(self) -> Message:
        data, status = self._request()
        return Message("cut", "cut", data[: self._random.randrange(1, len(data))], (status,))

    def _damaged(self) -> Message:
        """Replace, remove or double some bytes, most often in the head."""
        data, status = self._request(CLOSE)
        damaged, head = bytearray(data), data.index(b"\r\n\r\n") + 4
        for _ in range(self._random.randint(1, 4)):
            place = self._random.randrange(head if self._random.random() < 0.8 else len(damaged))
            there = bytes(damaged[place : place + 1])
            new = self._random.choice((self._random.randbytes(1), b"", there * 2, b"\r\n", b"\n", b" ", b"\0"))
            damaged[place : place + 1] = new
        return Message("damaged", "damaged", bytes(damaged), (status,))
