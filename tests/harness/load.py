"""Load from pooled and from fresh connections, by clients that leave when they are told to, with a ledger."""

import json
import math
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import repeat
from typing import Self

from loadtest.closed_loop import ClosedLoop, Sent
from loadtest.request import Request
from stack import until
from stack.ports import HOST
from stack.prober import Look, Prober

KEPT_SECONDS = 1.0  # below the worker's 1.5 to 3 s (CONNECTION_MAX_AGE): the drain alone tells these clients to leave
READINESS_PERIOD = 0.02  # seconds; a load balancer looks less often, but acts on the same answer
TOLD_PAUSE = 0.01  # seconds between two requests of a client that was told to leave
TIMEOUT = 15.0  # seconds


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
    """Clients that stop opening connections at the first `/readyz` 503 or `Connection: close`."""

    def __init__(
        self, port: int, path: str, *, payload: object = None, pooled: int = 4, fresh: int = 4, stays: bool = False
    ) -> None:
        """`stays`: a told client goes on with a fresh connection, as behind a balancer; nothing counts as told."""
        self.ledger = Ledger()
        self._stays = stays
        self._told = math.inf  # the moment, in monotonic seconds
        body = None if payload is None else json.dumps(payload).encode()
        requests = repeat((None, Request(path, body, "GET" if payload is None else "POST").wire()))
        self._pooled = ClosedLoop(port, requests, self._note_pooled, pooled, age=KEPT_SECONDS, timeout=TIMEOUT)
        self._fresh = ClosedLoop(port, requests, self._note, fresh, age=0, timeout=TIMEOUT)
        self._running = ExitStack()
        self._readiness = _Readiness(port, self)

    def __enter__(self) -> Self:
        for each in (self._readiness, self._pooled, self._fresh):
            self._running.enter_context(each)
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def wait_for(self, requests: int, timeout: float = 240) -> None:
        """Until so many requests were answered."""
        until(lambda: self.sent >= requests, timeout, f"{requests} requests", lambda: self.sent)

    def wait_told(self, timeout: float = 30) -> None:
        """Until the clients were told to leave."""
        until(lambda: self._told < math.inf, timeout, "a 503 or Connection: close", lambda: self.ledger)

    @property
    def sent(self) -> int:
        """Requests in the ledger."""
        return self.ledger.before.total() + self.ledger.after.total()

    def tell(self) -> None:
        """Have the clients leave."""
        if not self._stays:
            self._told = min(self._told, time.monotonic())
            self._pooled.leave()
            self._fresh.pause = TOLD_PAUSE

    def _note_pooled(self, sent: Sent[None]) -> None:
        """A request on a connection that was opened in time counts as begun in time."""
        self.ledger.before[sent.outcome] += 1
        if sent.answer and sent.answer.headers.get("connection") == "close":
            self.tell()

    def _note(self, sent: Sent[None]) -> None:
        if sent.at < self._told:
            self._note_pooled(sent)
        else:
            self.ledger.after[sent.outcome] += 1


class _Readiness(Prober):
    """Tells a load's clients at the first 503."""

    def __init__(self, port: int, load: Load) -> None:
        super().__init__(f"http://{HOST}:{port}", ["/readyz"], READINESS_PERIOD, last="503")
        self._load = load

    def note(self, path: str, look: Look, body: bytes) -> None:
        """See `Prober.note`."""
        super().note(path, look, body)
        if look.value == "503":
            self._load.tell()
