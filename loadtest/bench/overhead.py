"""What metrics, log, request id and key check take of the rate of cache hits: `make overhead`.

Two apis on the same stores, one with all of them, one without any (`bare.unwatched`: nothing counts, and a middleware
that adds only the security headers is in the place of `Access`), answer cached texts in turns. The figure is their
CPU time for a hit, which other work on the machine changes little; the one that doesn't answer uses next to none.
"""

import asyncio
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import uvloop

from loadtest.bench.dialects import API
from loadtest.bench.ending import end_cleanly_on_sigterm
from loadtest.bench.server import Server
from loadtest.bench.texts import block
from loadtest.bench.trial import keep
from loadtest.bench.verdict import Bound, conclude
from loadtest.closed_loop import ClosedLoop, Sent
from loadtest.request import Request
from loadtest.variables import positive
from stack import EmbeddedStack, free_ports, until
from stack.http import ask
from stack.ports import HOST
from stack.site import REPOSITORY

CONF = REPOSITORY / "services" / "api" / "gunicorn.conf.py"
TEXTS = 256  # that are cached
CLIENTS = 8
SHARE = 0.10  # of the rate of hits
START_SECONDS = 60.0


@dataclass
class Api:
    """One of the two; `key` is empty where nobody asks for one."""

    name: str
    server: Server
    key: str

    def requests(self) -> Iterator[tuple[str, bytes]]:
        """Each cached text, again and again."""
        own = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        asked = [API.asked([text]) for text in islice(block(0, TEXTS), TEXTS)]
        return cycle(
            [(self.name, Request(each.path, each.body, headers={**each.headers, **own}).wire()) for each in asked]
        )

    def serve(self, seconds: float) -> dict[str, Any]:
        """Let it answer for so long. Raises OSError for any answer but 200."""
        sent: list[Sent[str]] = []
        before = self._cpu()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(ClosedLoop(self.server.port, self.requests(), sent.append, CLIENTS).run(seconds))
        if wrong := {each.outcome for each in sent} - {200}:
            raise OSError(f"{self.name}: {wrong}")
        return {"api": self.name, "hits": len(sent), "cpu_us": (self._cpu() - before) / len(sent) * 1e6}

    def _cpu(self) -> float:
        """Seconds of all threads, by the scheduler's clock: that of times(2) has steps of 10 ms, which are 30 hits."""
        threads = (thread for pid in self.server.pids() for thread in Path(f"/proc/{pid}/task").iterdir())
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def main() -> int:
    """Exit code 1 when they cost more than `SHARE`."""
    turns, seconds = positive("ROUNDS", 12), positive("SECONDS", 2.0)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as running:
        apis = _start(Path(folder), running)
        for each in apis:  # the first one fills the cache
            each.serve(seconds)
        rows = [
            {"turn": turn, **each.serve(seconds)}
            for turn in range(turns)
            for each in (apis if turn % 2 else apis[::-1])
        ]
    keep("overhead", rows)
    watched, unwatched = ([row["cpu_us"] for row in rows if row["api"] == each.name] for each in apis)
    shares = [1 - less / more for more, less in zip(watched, unwatched, strict=True)]
    print(f"CPU time of a hit, medians of {turns} turns: {median(watched):.0f} µs, {median(unwatched):.0f} µs without;")
    print(f"share of the rate: {median(shares):.1%} ({min(shares):.1%} to {max(shares):.1%})")
    return conclude([Bound("share of the rate of cache hits", median(shares), "≤", SHARE)])


def _start(folder: Path, running: ExitStack) -> tuple[Api, Api]:
    stack = EmbeddedStack(folder / "stack", free_ports(), ("postgres", "valkey", "worker"), {"ENGINE": "fake"})
    running.callback(stack.down)
    stack.up()
    stack.migrate()
    key = secrets.token_hex(32)
    own = {"API_KEYS": key, "LOG_LEVEL": "info"}
    apis = (
        _api("watched", folder, stack, own, key=key),
        _api("unwatched", folder, stack, {"LOG_LEVEL": "error"}, "loadtest.bench.bare.unwatched:create_app()"),
    )
    for each in apis:
        running.enter_context(each.server)
    for each in apis:
        url = f"http://{HOST}:{each.server.port}/readyz"
        until(partial(_answers, url), START_SECONDS, each.name)
    return apis


def _answers(url: str) -> bool:
    return ask(url, timeout=2).status == 200


def _api(name: str, folder: Path, stack: EmbeddedStack, own: dict[str, str], *app: str, key: str = "") -> Api:
    port = free_ports()["api"]
    addresses = {
        "DATABASE_URL": stack.url("postgres"),
        "REDIS_URL": stack.url("valkey"),
        "WORKER_URL": stack.url("worker"),
    }
    environment = {**addresses, "PORT": str(port), "DRAIN_SECONDS": "0", "CONNECTION_MAX_AGE": "3600", **own}
    argv = (sys.executable, "-m", "gunicorn", "-c", str(CONF), *app)
    return Api(name, Server(argv, port, folder / f"{name}.log", REPOSITORY, environment), key)


if __name__ == "__main__":
    end_cleanly_on_sigterm()
    sys.exit(main())
