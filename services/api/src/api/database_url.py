"""Translates `DATABASE_URL` for asyncpg and for SQLAlchemy's dialect for it.

No message holds a value, which may be a secret.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from api.database_options import translate

FORM = "postgresql+asyncpg://user:password@host:port/database"
QUOTING = "is a character such as / # ? @ : % of user or password not percent-encoded?"
SCHEMES = {"postgresql+asyncpg", "postgresql", "postgres"}


@dataclass(frozen=True)
class DatabaseAddress:
    """Keywords for `asyncpg.connect`, and for SQLAlchemy's wrapper of such a connection."""

    driver: dict[str, Any]
    dialect: dict[str, Any]

    def __repr__(self) -> str:
        return "DatabaseAddress(…)"


def parse(url: str) -> DatabaseAddress:
    """Read a URL. Raises ValueError, which names the option that can't work."""
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:  # its text may hold the password
        raise ValueError(f"must be {FORM}; {QUOTING}") from None
    if parts.scheme not in SCHEMES:
        raise ValueError(f"must be {FORM}, not {parts.scheme if '://' in url else 'no URL'}")
    credentials, at, hosts = parts.netloc.rpartition("@")
    if parts.fragment or (not at and "@" in parts.path + parts.query):
        raise ValueError(f"must be {FORM}; {QUOTING}")
    user, _, password = credentials.partition(":")
    options = {
        "user": unquote(user),
        "password": unquote(password),
        "dbname": unquote(parts.path[1:]),
        "host": unquote(hosts),
        **_once(pairs),
    }
    names = {"user": "user", "password": "password", "dbname": "database"}
    known = {ours: options.pop(name) for name, ours in names.items()}
    servers = _servers(options.pop("host"), options.pop("port", ""))
    driver, dialect = translate(options)
    return DatabaseAddress({name: value for name, value in known.items() if value} | servers | driver, dialect)


def _once(pairs: list[tuple[str, str]]) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in pairs:
        if name == "host" and name in options:  # SQLAlchemy's spelling for several hosts
            options[name] += f",{value}"
        elif name in options:
            raise ValueError(f"{name} is given twice")
        else:
            options[name] = value
    return options


def _servers(text: str, default_port: str) -> dict[str, Any]:
    """Hosts and ports, as many of each. Of several hosts, the connection goes to one that can write."""
    if not text:
        return {}
    pairs = [_server(each, default_port or "5432") for each in text.split(",")]
    hosts, ports = [host for host, _ in pairs], [port for _, port in pairs]
    if len(hosts) == 1:
        return {"host": hosts[0], "port": ports[0]}
    return {"host": hosts, "port": ports, "target_session_attrs": "read-write"}


def _server(text: str, default_port: str) -> tuple[str, int]:
    if text.startswith("/"):  # the folder of a socket
        host, port = text, ""
    elif text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    number = port or default_port
    if not host or not number.isdecimal() or not 0 < int(number) < 65536:
        raise ValueError(f"must be {FORM}; {QUOTING}")
    return host, int(number)
