"""When does a server answer its first embedding?"""

import http.client
import time
from collections.abc import Callable

from loadtest.bench.connection import HOST
from loadtest.bench.dialects import Dialect
from stack import until

INTERVAL = 0.01  # seconds between two attempts; each costs the starting server about 0.3 ms
LIMIT = 120.0  # seconds


def first_embedding(port: int, dialect: Dialect, check: Callable[[], None]) -> float:
    """The time (`time.perf_counter()`) of the first 200 from the embedding route itself, asked on fresh connections.

    A server may refuse, answer 503, or let the request wait: whatever it does, only an embedding counts. `check` raises
    StackError when there is nothing to wait for any more. Raises StackError.
    """

    def embedded() -> float:
        check()
        if (status := _post(port, dialect)) != 200:
            raise ConnectionError(f"it answered {status}")
        return time.perf_counter()

    return until(embedded, LIMIT, "an embedding", interval=INTERVAL)


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
