"""Load from pooled and from fresh connections, by clients that leave when they are told to, with a ledger."""

import http.client
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from stack.http import Answer, exchange
from stack.waiting import until
from tests.harness.http import outcome

KEPT_SECONDS = 1.0  # below the worker's 1.5 to 3 s (CONNECTION_MAX_AGE): the drain alone tells these clients to leave
READINESS_PERIOD = 0.02  # seconds; a load balancer looks less often, but acts on the same answer


@dataclass
class Ledger:
    """Requests by outcome: a status, or the name of an error."""

    before: Counter[int | str] = field(default_factory=Counter)  # begun before the clients were told to leave
    after: Counter[int | str] = field(default_factory=Counter)  # begun later, on fresh connections

    @property
    def lost(self) -> dict[int | str, int]:
        """What was not answered with 200 although it was begun in time."""
        return {outcome: count for outcome, count in self.before.items() if outcome != 200}


class Load:
    """Clients that stop opening connections at the first `/readyz` 503 or `Connection: close`.

    By docs/lifecycle.md, rule 7, they lose nothing.
    """

    def __init__(
        self, port: int, path: str, *, payload: object = None, pooled: int = 4, fresh: int = 4, stays: bool = False
    ) -> None:
        """`stays`: a told client goes on with a fresh connection, as behind a balancer; nothing counts as told."""
        self.ledger = Ledger()
        self._port, self._path, self._payload = port, path, payload
        self._stays = stays
        self._told = threading.Event()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        clients = [self._pooled] * pooled + [self._fresh] * fresh + [self._look]
        self._threads = [threading.Thread(target=client, daemon=True) for client in clients]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, requests: int, timeout: float = 60) -> None:
        """Until so many requests were answered."""
        until(lambda: self.sent >= requests, timeout, f"{requests} requests", lambda: self.sent)

    def wait_told(self, timeout: float = 30) -> None:
        """Until the clients were told to leave, and their last answers are in."""
        until(self._told.is_set, timeout, "a 503 or Connection: close", lambda: self.ledger)

    @property
    def sent(self) -> int:
        """Requests in the ledger."""
        return self.ledger.before.total() + self.ledger.after.total()

    def _pooled(self) -> None:
        while not self._stop.is_set() and not self._told.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=15)
            old = time.monotonic() + KEPT_SECONDS
            while self._may_reuse(connection, self.ledger.before) and not self._stop.is_set():
                if time.monotonic() > old:
                    break
            connection.close()

    def _fresh(self) -> None:
        while not self._stop.is_set():
            ledger = self.ledger.after if self._told.is_set() else self.ledger.before
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=15)
            self._may_reuse(connection, ledger)
            connection.close()
            if self._told.is_set():
                self._stop.wait(0.01)

    def _may_reuse(self, connection: http.client.HTTPConnection, ledger: Counter[int | str]) -> bool:
        """Send one request and write it down; whether the connection may be used again."""
        answer: Answer | None = None
        try:
            answer = exchange(connection, self._path, "POST" if self._payload else "GET", self._payload)
            result: int | str = answer.status
        except (OSError, http.client.HTTPException) as error:
            result = type(error).__name__
        with self._lock:
            ledger[result] += 1
        if answer and answer.headers.get("connection") == "close":
            self._tell()
        return answer is not None and answer.headers.get("connection") != "close"

    def _look(self) -> None:
        while not self._stop.wait(READINESS_PERIOD):
            if outcome(self._port, "/readyz") == 503:
                self._tell()
                return

    def _tell(self) -> None:
        if not self._stays:
            self._told.set()
