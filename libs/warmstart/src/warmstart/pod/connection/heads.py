"""Checks of a request's head that httptools leaves out and RFC 9112 demands, and of its size."""

import re
from collections.abc import Sequence

import httptools

from warmstart.errors import BadRequest, HeadersTooLarge, UriTooLong

HOST = re.compile(rb"[\w.~%!$&'()*+,;=:\[\]-]*")  # the characters that RFC 3986 allows in a host and a port


def check(version: str, url: bytes, headers: Sequence[tuple[bytes, bytes]], limit: int) -> None:
    """Raises a ServiceError for a head that is larger than `limit` bytes, or that a proxy may read in another way.

    Of transfer codings we know `chunked`: the body of another is no text.
    """
    if version not in ("1.1", "1.0"):
        raise BadRequest(f"HTTP/{version} is not spoken here, HTTP/1.1 is", code="invalid_http")
    if len(url) > limit:
        raise UriTooLong(f"the request's target is longer than the limit of {limit} bytes")
    size, hosts = len(url), []
    for name, value in headers:
        size += len(name) + len(value) + 4
        if name == b"host":
            hosts.append(value)
        if name == b"transfer-encoding" and value.lower() != b"chunked":
            raise BadRequest("the only Transfer-Encoding that this server reads is chunked", code="invalid_http")
    if size > limit:
        raise HeadersTooLarge(limit)
    _check_target(url)
    _check_hosts(version, hosts)


def _check_target(url: bytes) -> None:
    try:
        path = httptools.parse_url(url).path
    except httptools.HttpParserInvalidURLError:
        path = None
    if not path:
        raise BadRequest("the request's target has no path that can be read", code="invalid_http")


def _check_hosts(version: str, hosts: Sequence[bytes]) -> None:
    """Two `Host` headers could route one request to two places (RFC 9112, section 3.2); HTTP/1.0 may have none."""
    if len(hosts) > 1 or (version == "1.1" and not hosts):
        raise BadRequest(f"a request has one Host header, this one has {len(hosts)}", code="invalid_http")
    if not all(HOST.fullmatch(host.strip()) for host in hosts):
        raise BadRequest("the Host header names no host", code="invalid_http")
