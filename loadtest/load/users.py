"""A closed-loop user whose answers are checked and written down."""

import random
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any, ClassVar

from locust import FastHttpUser, between

from loadtest.checks import Check, both
from loadtest.load.options import headers
from loadtest.openloop import Request, Row
from loadtest.openloop.client import Exchange
from loadtest.openloop.outcome import outcome
from stack.http import Answer

NUMBERS = count()


class CheckedUser(FastHttpUser):
    """Waits for each answer, pauses for a moment, and goes on: closed-loop, like a program in a loop.

    Latency counts from the sending, so that a stalled service is asked less often, and looks better than it does to
    independent users. The open loop measures their latency.
    """

    abstract = True
    wait_time = between(0.2, 0.6)
    network_timeout = connection_timeout = 15.0
    max_retries = 0  # a retry would hide a failure
    insecure = False  # locust's default sends the key to whoever answers
    # As the open loop: geventhttpclient trusts certifi's authorities where the machine's are a folder.
    ssl_context_factory = staticmethod(lambda **_: ssl.create_default_context())
    listeners: ClassVar[list[Callable[[Row], None]]] = []  # called with each row
    draw: ClassVar[random.Random] = random.Random()  # noqa: S311 - nothing is secret here

    def call(self, name: str, request: Request, check: Check | None = None) -> Answer:
        """Send a request; a wrong answer is a failure, like none.

        Args:
            name: groups requests in the statistics.
            request: with its own check.
            check: another one, after it.
        """
        began = time.monotonic()
        with self.client.request(
            request.method,
            request.path,
            name=name,
            data=(request.body or b"").decode(),
            headers={**request.headers, **headers()},
            catch_response=True,
        ) as response:
            done = time.monotonic()
            answer = _answer(response)
            error = None if response.status_code else type(response.error).__name__
            exchange = Exchange(done=done, answer=answer if response.status_code else None, error=error)
            checked = replace(request, check=both(request.check, check))
            row = outcome(Row(next(NUMBERS), name, began, began), checked, exchange)
            for listener in self.listeners:
                listener(row)
            if row.error and row.status:
                response.failure(row.error)
        return answer


def _answer(response: Any) -> Answer:
    found = {name.lower(): value for name, value in (response.headers or {}).items()}
    return Answer(response.status_code, found, response.content or b"")
