"""Sends the requests of a plan at their times."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from loadtest.openloop.client import Client
from loadtest.openloop.outcome import outcome
from loadtest.openloop.peer import Peers
from loadtest.openloop.plan import Plan, Stream
from loadtest.openloop.rows import Row, RowFile
from loadtest.openloop.verdict import LATE, Verdict, judge
from loadtest.request import Maker, Request, maker

log = logging.getLogger("loadtest.openloop")


class Generator:
    """One run of a plan in this process: a thread for each request in flight, so that none waits for another.

    Under gevent the threads are greenlets, which is cheaper: `Background` and locust run it so.

    Args:
        plan: what to send.
        file: where rows go.
        on_row: called with each row, in the thread of its request.

    Raises:
        ValueError: a stream's maker or URL can't be used.
    """

    def __init__(self, plan: Plan, file: RowFile, on_row: Callable[[Row], None] | None = None) -> None:
        self._plan, self._file, self._on_row = plan, file, on_row
        self._draw = random.Random(plan.seed)  # noqa: S311 - nothing is secret here
        self._stop = threading.Event()
        self._lags: list[float] = []
        self._was_late = False
        self._waiting: dict[int, Row] = {}
        peers = Peers()
        self._senders: list[tuple[Stream, Maker, Client]] = [
            (
                each,
                maker(each.maker),
                Client(each.url, pooled=each.connections == "pooled", peers=peers, headers=plan.headers),
            )
            for each in plan.streams
        ]

    def stop(self) -> None:
        """Send no more requests; `run` returns when those in flight have ended."""
        self._stop.set()

    def run(self) -> Verdict:
        """Send everything, wait for the answers, and say whether the schedule was kept."""
        begin = time.monotonic()
        self._file.begin(begin)
        threads: list[threading.Thread] = []
        for number, due in self._due(begin):
            # The request is made before it is due, so that only sending happens at the scheduled time.
            sender, request = self._next(number)
            if self._stop.wait(max(0.0, due - time.monotonic())):
                break
            thread = threading.Thread(target=self._send, args=(number, due, sender, request), daemon=True)
            thread.start()
            threads = [each for each in threads if each.is_alive()] if number % 100 == 0 else threads
            threads.append(thread)
        return self._finish(threads)

    def _due(self, begin: float) -> Iterator[tuple[int, float]]:
        """Numbers of requests, and their scheduled times."""
        for number, offset in enumerate(islice(self._plan.schedule.offsets(), self._plan.requests)):
            if self._plan.seconds is not None and offset >= self._plan.seconds:
                self._stop.wait(max(0.0, begin + self._plan.seconds - time.monotonic()))
                return
            yield number, begin + offset

    def _next(self, number: int) -> tuple[tuple[Stream, Client], Request]:
        weights = [stream.weight for stream, _, _ in self._senders]
        [(stream, make, client)] = self._draw.choices(self._senders, weights)
        return (stream, client), make(self._draw, number)

    def _send(self, number: int, due: float, sender: tuple[Stream, Client], request: Request) -> None:
        stream, client = sender
        sent = time.monotonic()
        self._note_lag(sent - due)
        self._waiting[number] = Row(number, stream.label, due, sent)
        result = client.send(request, due + self._plan.timeout)
        if row := self._waiting.pop(number, None):  # otherwise the row was already written as unfinished
            self._write(outcome(row, request, result))

    def _note_lag(self, lag: float) -> None:
        if lag > LATE and not self._was_late:
            self._was_late = True
            log.warning("behind schedule: a request leaves %.0f ms late", lag * 1000)
        self._lags.append(lag)

    def _write(self, row: Row) -> None:
        try:
            self._file.add(row)
        except (TypeError, ValueError) as error:  # what was kept can't be written
            row = replace(row, kept=None, error=f"wrong: {type(error).__name__}: {error}")
            self._file.add(row)
        if self._on_row:
            self._on_row(row)

    def _finish(self, threads: list[threading.Thread]) -> Verdict:
        ends = time.monotonic() + self._plan.timeout + 1
        for thread in threads:
            thread.join(max(0.0, ends - time.monotonic()))
        for number in list(self._waiting):
            with suppress(KeyError):
                self._write(replace(self._waiting.pop(number), error="unfinished"))
        for _, _, client in self._senders:
            client.close()
        verdict = judge(self._lags)
        self._file.end(verdict, stopped=self._stop.is_set())
        if not verdict.valid:
            log.error("this run is invalid: %s", verdict.reason)
        return verdict
