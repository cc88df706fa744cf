"""One request on one fresh connection, as a kubelet makes it."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Answer:
    """Status, headers with lower-case names, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def exchange(
    connection: http.client.HTTPConnection,
    path: str,
    method: str = "GET",
    payload: object = None,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Answer:
    """Send one request on an open connection, with `more` headers, and read the whole answer."""
    body = None if payload is None else json.dumps(payload)
    headers = {**more} if payload is None else {"Content-Type": "application/json", **more}
    connection.request(method, path, body=body, headers=headers)
    response = connection.getresponse()
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, found, response.read())


def get(port: int, path: str, method: str = "GET", payload: object = None, timeout: float = 2) -> Answer:
    """The answer to one request; raises OSError or HTTPException when there is none within `timeout` seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        return exchange(connection, path, method, payload)
    finally:
        connection.close()


def outcome(port: int, path: str, timeout: float = 1) -> int | str:
    """The status of an answer, or the name of what came instead (`ConnectionRefusedError`, `TimeoutError`, …)."""
    try:
        return get(port, path, timeout=timeout).status
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
