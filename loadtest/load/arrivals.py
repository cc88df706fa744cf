"""Open-loop arrivals inside locust: its statistics count them from their scheduled time."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment

from loadtest.load.options import headers
from loadtest.openloop import Constant, Generator, Plan, Poisson, Row, RowFile, Stream, Verdict

TIMEOUT = 15.0  # seconds; the api gives up after REQUEST_TIMEOUT, 10 by default
# The requests of one person or program, as those of the closed-loop users.
MIX = {"api_fresh": 4, "api_short": 2, "api_repeated": 4, "search": 2, "document": 1}


def plan(options: Namespace, host: str) -> Plan:
    """The mix at the chosen rate, until it is stopped."""
    schedule = (Poisson if options.arrivals == "poisson" else Constant)(options.open_rate)
    streams = tuple(Stream(maker, host, weight, name=f"open loop: {maker}") for maker, weight in MIX.items())
    return Plan(schedule, streams, timeout=TIMEOUT, headers=headers())


class Arrivals:
    """One open-loop run in greenlets of its own, beside locust's users."""

    def __init__(self, environment: Environment, host: str, path: Path, on_row: Callable[[Row], None]) -> None:
        self._environment, self._on_row = environment, on_row
        options: Any = environment.parsed_options
        chosen = plan(options, host)
        self._file = RowFile(path, chosen)
        self._generator = Generator(chosen, self._file, self._note)
        self._run = gevent.spawn(self._generator.run)

    def stop(self) -> Verdict:
        """Wait for the requests in flight."""
        self._generator.stop()
        verdict: Verdict = self._run.get()
        self._file.close()
        return verdict

    def _note(self, row: Row) -> None:
        self._on_row(row)
        failure = None if row.ok else RuntimeError(row.error or f"status {row.status}")
        self._environment.events.request.fire(
            request_type="POST",
            name=row.stream,
            response_time=None if row.done is None else row.latency * 1000,  # locust can't count an infinite one
            response_length=0,
            exception=failure,
            context={},
        )
