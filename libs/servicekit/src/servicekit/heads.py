"""What httptools lets through although a server must refuse it (RFC 9112), and the size of a request's head."""

from collections.abc import Sequence

from servicekit.errors import BadRequest, HeadersTooLarge, UriTooLong


def check(version: str, url: bytes, headers: Sequence[tuple[bytes, bytes]], limit: int) -> None:
    """Raises a ServiceError for a head that is larger than `limit` bytes, or that a proxy may read in another way.

    Two `Host` headers route a request twice. Of transfer codings we know `chunked`: the body of another is no text.
    """
    if version not in ("1.1", "1.0"):
        raise BadRequest(f"HTTP/{version} is not spoken here, HTTP/1.1 is", code="invalid_http")
    if len(url) > limit:
        raise UriTooLong(f"the request's target is longer than the limit of {limit} bytes")
    size, hosts = len(url), 0
    for name, value in headers:
        size += len(name) + len(value) + 4
        hosts += name == b"host"
        if name == b"transfer-encoding" and value.lower() != b"chunked":
            raise BadRequest("the only Transfer-Encoding that this server reads is chunked", code="invalid_http")
    if size > limit:
        raise HeadersTooLarge(limit)
    if hosts > 1:
        raise BadRequest("the request has more than one Host header", code="invalid_http")
