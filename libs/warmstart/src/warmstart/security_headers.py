"""Headers that every answer has but a 304, so that browsers do nothing unforeseen with it. No web framework is needed.

An answer that has one of them keeps its own: a page names what it may load in its `Content-Security-Policy`.
"""

from collections.abc import Iterable

Header = tuple[bytes, bytes]

DEFAULTS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),  # for browsers that don't know frame-ancestors
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
# An answer is for its caller alone, and the next one may differ; ETag says that a copy may be asked about.
UNCACHED: Header = (b"cache-control", b"no-store")
ETAG = b"etag"
HSTS = b"strict-transport-security"


class SecurityHeaders:
    """The headers of a service. `hsts` is in seconds: how long browsers then use TLS only; 0 for not behind TLS."""

    def __init__(self, hsts: int = 0) -> None:
        added = [*DEFAULTS, UNCACHED]
        if hsts:
            added.append((HSTS, b"max-age=%d" % hsts))
        self._all = tuple(added)
        self._names = frozenset(name for name, _ in added) | {ETAG}

    def missing(self, headers: Iterable[Header]) -> tuple[Header, ...]:
        """Those that are to be added to `headers`."""
        known = self._names.intersection([name.lower() for name, _ in headers])
        if not known:
            return self._all
        if ETAG in known:
            known |= {UNCACHED[0]}
        return tuple(each for each in self._all if each[0] not in known)
