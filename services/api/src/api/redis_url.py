"""Translates `REDIS_URL` for redis-py.

redis-py passes every option of a URL to its classes unchanged: an unknown option, or one that takes no text, fails at
each connection, and `decode_responses=true` would turn vectors into text. So each option is taken or refused by its
name. No message holds a value, which may be a secret.
"""

import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection, parse_url

FORM = "redis://:password@host:port/db"
SCHEMES = {"valkey": "redis", "valkeys": "rediss"}  # of the same, by name
CREDENTIALS = {"username", "password"}
PLACE = {"host", "port", "path", "connection_class"}
OPTIONS = {
    "db",
    "socket_timeout",
    "socket_connect_timeout",
    "socket_read_size",
    "retry_on_timeout",
    "max_connections",
    "health_check_interval",
    "client_name",
    "timeout",
    "protocol",
}
LIMITS = ("timeout", "socket_timeout", "socket_connect_timeout", "max_connections")
OF_TCP = {"socket_keepalive"}
OF_TLS = {
    "ssl_keyfile",
    "ssl_certfile",
    "ssl_cert_reqs",
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_ca_data",
    "ssl_check_hostname",
    "ssl_min_version",
    "ssl_ciphers",
    "ssl_password",
    "ssl_include_verify_flags",
    "ssl_exclude_verify_flags",
}


def parse(url: str) -> dict[str, Any]:
    """Keywords for a pool's connections, `username` and `password` among them.

    Raises ValueError, which names the option, for what can't work.
    """
    options = _read(url)
    for name in sorted(set(options) - CREDENTIALS - PLACE - _known(options)):
        raise ValueError(f"{name}: no option that this service can use")
    if "ssl_cert_reqs" in options:  # Celery's spelling is CERT_NONE
        options["ssl_cert_reqs"] = options["ssl_cert_reqs"].lower().removeprefix("cert_")
    _try(options)
    return options


def _read(url: str) -> dict[str, Any]:
    scheme, colon, rest = url.partition("://")
    place, _, query = rest.partition("?")
    try:
        options: dict[str, Any] = {**parse_url(f"{SCHEMES.get(scheme, scheme)}{colon}{rest}")}
    except ValueError as error:  # its own text may hold the password
        named = re.search(r"Invalid value for '(\w+)'", str(error))
        raise ValueError(f"{named[1]}: no such value" if named else f"must be {FORM}") from None
    socket = options.get("connection_class") is UnixDomainSocketConnection
    # redis-py reads anything but a number as 0. An unquoted / # or ? in the password moves the @ out of place.
    no_database = not socket and place.partition("/")[2] and "db" not in options
    host = urlsplit(url).netloc  # of a socket: only what stands before an @
    if no_database or "#" in url or ("@" in query and "@" not in place) or (socket and host and "@" not in host):
        raise ValueError(f"must be {FORM}; is a character such as / # ? @ : % of the password not percent-encoded?")
    if not socket and urlsplit(url).port == 0:  # redis-py takes it for none, and asks 6379
        raise ValueError(f"must be {FORM}; the port must be from 1 to 65535")
    return options


def _known(options: Mapping[str, Any]) -> set[str]:
    kind = options.get("connection_class")
    if kind is UnixDomainSocketConnection:
        return OPTIONS
    return OPTIONS | OF_TCP | (OF_TLS if kind is SSLConnection else set())


def _try(options: Mapping[str, Any]) -> None:
    """Make a connection object, which opens nothing but the files of certificates."""
    limits = [options.get(name, 1) for name in LIMITS]
    if not all(0 < limit < math.inf for limit in limits) or not _sensible(options):
        raise ValueError("time limits and max_connections must be more than 0, db at least 0, protocol 2 or 3")
    try:
        connection = BlockingConnectionPool(**options).make_connection()  # type: ignore[no-untyped-call]
        if isinstance(connection, SSLConnection):
            connection.ssl_context.get()
    except Exception as error:  # noqa: BLE001 - whatever it is, no connection can be made
        raise ValueError(f"no connection can be made with its options: {type(error).__name__}") from None


def _sensible(options: Mapping[str, Any]) -> bool:
    return options.get("protocol", 2) in (2, 3) and options.get("db", 0) >= 0
