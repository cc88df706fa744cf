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
    """A value for each known token, of which only the SHA-256 digest is kept.

    A look-up takes as long for an unknown token as for a known one, and as long for one that nearly is one. The table
    is ordered by a keyed hash of the digest: nobody outside can tell where a token falls in it. An unknown token is
    compared, too, with a digest that no token has.
    """

    def __init__(self, known: Iterable[tuple[bytes, T]] = ()) -> None:
        self._secret = os.urandom(_SIZE)
        self._nobody: tuple[bytes, T | None] = (os.urandom(_SIZE), None)
        self._table: dict[bytes, tuple[bytes, T | None]] = {}
        self.replace(known)

    def replace(self, known: Iterable[tuple[bytes, T]]) -> None:
        """Know these digests from now on, and no others."""
        self._table = {self._place(digest): (digest, value) for digest, value in known}

    def __len__(self) -> int:
        return len(self._table)

    def find(self, token: bytes) -> T | None:
        """What is known under a token, of any bytes, or None."""
        digest = sha256(token).digest()
        known, value = self._table.get(self._place(digest), self._nobody)
        return value if compare_digest(known, digest) else None

    def of(self, scope: Scope) -> T | None:
        """What is known under the token of a request, or None."""
        token = token_of(scope)
        return None if token is None else self.find(token)

    def _place(self, digest: bytes) -> bytes:
        return blake2b(digest, key=self._secret, digest_size=_SIZE).digest()


def digest_of(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def token_of(scope: Scope) -> bytes | None:
    """The request's bearer token. None without one, and for several `Authorization` headers: proxies read either."""
    found = [value for name, value in scope["headers"] if name == HEADER]
    if len(found) != 1:
        return None
    scheme, _, token = found[0].partition(b" ")
    return token.strip(b" ") if scheme.lower() == b"bearer" else None
