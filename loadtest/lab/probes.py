"""Asks a starting server's probes all the time, and records when each was first true."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from stack.prober import NONE, Prober

# Each probe costs the starting process about half a millisecond: three every 25 ms slow its start by some 5 %, the
# same for every strategy. An event is seen at most so many seconds late.
PERIOD = 0.025  # seconds
PATIENCE = 120.0  # seconds; a server that blocks before it answers leaves requests hanging, which end when it does

PATHS = ("/livez", "/startupz", "/readyz")


class StartProbes(Prober):
    """Asks until each of `PATHS` has answered 200."""

    def __init__(self, url: str) -> None:
        super().__init__(url, PATHS, PERIOD, PATIENCE, last="200")

    @property
    def ready(self) -> bool:
        """Whether all probes have answered 200."""
        return all(track.now == "200" for track in self.tracks.values())

    @property
    def seen(self) -> dict[str, float]:
        """The times in monotonic seconds: `first_answer` (any status, any probe), and the first 200 of each."""
        answered = [look.ended for track in self.tracks.values() for look in track.changes if look.value != NONE]
        firsts = {path.strip("/"): track.first("200") for path, track in self.tracks.items()}
        return {
            **({"first_answer": min(answered)} if answered else {}),
            **{name: look.ended for name, look in firsts.items() if look},
        }


@contextmanager
def first_accept(url: str) -> Iterator[list[float]]:
    """Records the time of the first TCP connection, in monotonic seconds."""
    parts, stop = urlsplit(url), threading.Event()
    found: list[float] = []

    def connect() -> None:
        while not found and not stop.wait(PERIOD / 5):
            try:
                socket.create_connection((parts.hostname or "", parts.port or 80), PATIENCE).close()
            except OSError:
                continue
            found.append(time.monotonic())

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join(PERIOD * 4)
