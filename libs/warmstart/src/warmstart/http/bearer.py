"""Bearer tokens (RFC 6750): which one a request has, and what is known under it.

Tokens are random, with at least 128 bits: nobody can try them all, so a fast hash protects them at rest. bcrypt and its
like slow down guesses at passwords that people choose, and would cost each request tens of milliseconds.
"""

import os
from collections.abc import Iterable
from hashlib import blake2b, sha256
from hmac import compare_digest
from typing import Generic, TypeVar

from starlette.types import Scope

T = TypeVar("T")

HEADER = b"authorization"
_SIZE = 32  # bytes of both digests


class Bearers(Generic[T]):
    """A value for each known token, of which only a keyed hash of its SHA-256 digest is kept in memory.

    A look-up does the same for every token. Its hash chooses a row, and is compared with all of that row; all rows are
    of one length, filled up with hashes that no token has. Nobody outside can tell which row a token falls in. In a
    dict, a known token touches memory that others don't, and which is in no cache by then: over loopback its answer
    took 0.7 µs longer (python -m loadtest.keys).
    """

    def __init__(self, known: Iterable[tuple[bytes, T]] = ()) -> None:
        self._secret = os.urandom(_SIZE)
        self._rows: list[list[tuple[bytes, T | None]]] = [[]]
        self.replace(known)

    def replace(self, known: Iterable[tuple[bytes, T]]) -> None:
        """Know these digests from now on, and no others."""
        entries: list[tuple[bytes, T | None]] = [(self._place(digest), value) for digest, value in known]
        rows: list[list[tuple[bytes, T | None]]] = [[] for _ in range(1 << (len(entries) - 1).bit_length())]
        for entry in entries:
            rows[_row(entry[0], len(rows))].append(entry)
        longest = max(map(len, rows))
        for row in rows:
            row.extend((os.urandom(_SIZE), None) for _ in range(longest - len(row)))
        self._rows = rows

    def find(self, token: bytes) -> T | None:
        """What is known under a token, of any bytes, or None."""
        place, rows, found = self._place(sha256(token).digest()), self._rows, None
        for known, value in rows[_row(place, len(rows))]:
            found = (found, value)[compare_digest(known, place)]
        return found

    def of(self, scope: Scope) -> T | None:
        """What is known under the token of a request, or None."""
        token = token_of(scope)
        return None if token is None else self.find(token)

    def _place(self, digest: bytes) -> bytes:
        return blake2b(digest, key=self._secret, digest_size=_SIZE).digest()


def _row(place: bytes, rows: int) -> int:
    return int.from_bytes(place[:4], "big") % rows


def digest_of(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def token_of(scope: Scope) -> bytes | None:
    """The request's bearer token. None without one or with an empty one, whose hash anybody can make.

    None for several `Authorization` headers, too: proxies read either.
    """
    found = [value for name, value in scope["headers"] if name == HEADER]
    if len(found) != 1:
        return None
    scheme, _, token = found[0].partition(b" ")
    return (token.strip(b" ") or None) if scheme.lower() == b"bearer" else None
