"""Measures when a server answers its first embedding."""

import time
from collections.abc import Callable

from loadtest.bench.dialects import Dialect
from stack import until
from stack.http import ask
from stack.ports import HOST

INTERVAL = 0.01  # seconds between two attempts; each costs the starting server about 0.3 ms
LIMIT = 120.0  # seconds


def first_embedding(port: int, dialect: Dialect, check: Callable[[], None]) -> float:
    """The time (`time.perf_counter()`) of the first 200 of the embedding route itself, on fresh connections.

    A server may refuse, answer 503, or let the request wait: only an embedding counts. `check` raises StackError when
    waiting is pointless. Raises StackError.
    """

    def embedded() -> float:
        check()
        url, body = f"http://{HOST}:{port}{dialect.path}", dialect.body(["ready"])
        if (status := ask(url, "POST", body, LIMIT, {"Accept": dialect.accept}).status) != 200:
            raise ConnectionError(f"it answered {status}")
        return time.perf_counter()

    return until(embedded, LIMIT, "an embedding", interval=INTERVAL)
