"""One HTTP request to a service, on a connection of its own or on one that stays open."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

FAILURES = (OSError, HTTPException)  # the errors of a request without an answer
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Answer:
    """Status, headers with lower-case names, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def exchange(
    connection: HTTPConnection,
    path: str,
    method: str = "GET",
    payload: object = None,
    more: Mapping[str, str] = NOTHING,
) -> Answer:
    """Send one request on an open connection, with `more` headers, and read the whole answer."""
    body = None if payload is None else json.dumps(payload)
    headers = {**more} if payload is None else {"Content-Type": "application/json", **more}
    connection.request(method, path, body=body, headers=headers)
    response = connection.getresponse()
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, found, response.read())


def ask(
    url: str, method: str = "GET", payload: object = None, timeout: float = 1.0, more: Mapping[str, str] = NOTHING
) -> Answer:
    """The answer to one request on a fresh connection, without a proxy; `timeout` is in seconds. Raises `FAILURES`."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout)
    try:
        return exchange(connection, parts._replace(scheme="", netloc="").geturl() or "/", method, payload, more)
    finally:
        connection.close()
