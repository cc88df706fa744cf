"""When does a server answer its first embedding?"""

import http.client
import time
from collections.abc import Callable

from loadtest.bench.connection import HOST
from loadtest.bench.dialects import Dialect

INTERVAL = 0.01  # seconds between two attempts; each costs the starting server about 0.3 ms
LIMIT = 120.0  # seconds


class NotReady(Exception):
    """No embedding within the limit."""


def first_embedding(port: int, dialect: Dialect, check: Callable[[], None]) -> float:
    """The time (`time.perf_counter()`) of the first 200 from the embedding route itself, asked on fresh connections.

    A server may refuse, answer 503, or let the request wait: whatever it does, only an embedding counts. `check` raises
    when there is nothing to wait for any more. Raises NotReady.
    """
    deadline = time.perf_counter() + LIMIT
    last = "not asked"
    while time.perf_counter() < deadline:
        check()
        try:
            status = _post(port, dialect)
            if status == 200:
                return time.perf_counter()
            last = str(status)
        except (OSError, http.client.HTTPException) as error:
            last = repr(error)
        time.sleep(INTERVAL)
    raise NotReady(f"no embedding within {LIMIT:g} s; the last attempt gave {last}")


def _post(port: int, dialect: Dialect) -> int:
    connection = http.client.HTTPConnection(HOST, port, timeout=LIMIT)
    try:
        head, _, content = dialect.request(["ready"]).partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        connection.request("POST", dialect.path, content, fields)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()
