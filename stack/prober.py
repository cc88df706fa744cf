"""Ask the probes of a service again and again on fresh connections, as a kubelet does, and keep every answer."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Self

from stack.errors import StackError
from stack.http import FAILURES, NOTHING, ask

NONE = "none"  # no answer: refused, reset, or too late
LOOK_AGAIN = 1.0  # seconds between two look-ups of the new address of a service that doesn't answer
LAST_LOOK = 5.0  # seconds in which looks under way may end at `stop`


@dataclass(frozen=True, slots=True)
class Look:
    """One observation: a status as text, or `NONE`; when it began, in monotonic seconds, and how long it took."""

    at: float
    value: str
    seconds: float = 0.0

    @property
    def ended(self) -> float:
        """When the answer had arrived."""
        return self.at + self.seconds


class Track:
    """All observations of one path, in order."""

    def __init__(self) -> None:
        self.looks: list[Look] = []
        self.changes: list[Look] = []  # the first look of each run of equal values

    def note(self, look: Look) -> None:
        """Add an observation."""
        self.looks.append(look)
        if not self.changes or self.changes[-1].value != look.value:
            self.changes.append(look)

    @property
    def values(self) -> list[str]:
        """The statuses in order, each change once."""
        return [each.value for each in self.changes]

    def since(self, begin: float) -> list[str]:
        """The statuses of the looks that began then or later, each change once."""
        return [value for value, _ in groupby(each.value for each in self.looks if each.at >= begin)]

    @property
    def now(self) -> str:
        """The last status; `NONE` before the first observation."""
        return self.looks[-1].value if self.looks else NONE

    @property
    def slowest(self) -> float:
        """Seconds of the slowest look that was answered."""
        return max((each.seconds for each in self.looks if each.value != NONE), default=0.0)

    def first(self, value: str, after: float = 0.0) -> Look | None:
        """The look that saw a change to `value`, the first of those that began after `after`."""
        return next((each for each in self.changes if each.value == value and each.at >= after), None)


class Prober:
    """`with Prober(url, ("/livez", "/readyz")) as prober:` asks within the block; `tracks` has the looks by path.

    Args:
        url: of the service. A function is called again when nothing answers: a pod that was replaced has another one.
        paths: each is asked by a thread of its own.
        period: seconds from look to look.
        timeout: seconds; the default of a Kubernetes probe is 1.
        last: a path that has given this answer is not asked again.
        more: headers of each request.
    """

    def __init__(
        self,
        url: str | Callable[[], str],
        paths: Iterable[str],
        period: float = 0.1,
        timeout: float = 1.0,
        last: str = "",
        *,
        more: Mapping[str, str] = NOTHING,
    ) -> None:
        self._locate = url if callable(url) else None
        self._url = url() if callable(url) else url
        self._period, self._timeout, self._last, self._more = period, timeout, last, more
        self.tracks = {path: Track() for path in paths}
        self._lost, self._stop = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(path,), daemon=True) for path in self.tracks]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()
        if self._locate:
            threading.Thread(target=self._follow, args=(self._locate,), daemon=True).start()

    def stop(self) -> None:
        """Stop asking."""
        self._stop.set()
        ends = time.monotonic() + LAST_LOOK
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    def note(self, path: str, look: Look, _body: bytes) -> None:
        """Keep a look, and what else the body says in a subclass."""
        self.tracks[path].note(look)

    def _run(self, path: str) -> None:
        value = NONE
        while value != self._last and not self._stop.is_set():
            began = time.monotonic()
            value, body = self._ask(path)
            took = time.monotonic() - began
            self.note(path, Look(began, value, took), body)
            self._stop.wait(max(0.0, self._period - took))

    def _ask(self, path: str) -> tuple[str, bytes]:
        try:
            answer = ask(f"{self._url}{path}", timeout=self._timeout, more=self._more)
        except FAILURES:
            self._lost.set()
            return NONE, b""
        return str(answer.status), answer.body

    def _follow(self, locate: Callable[[], str]) -> None:
        while not self._stop.wait(LOOK_AGAIN):
            if self._lost.is_set():
                with suppress(StackError):  # it has no address yet
                    self._url = locate()
                self._lost.clear()
