"""A probe that asks again and again on fresh connections, and remembers when the answer changed."""

import threading
import time
from types import TracebackType
from typing import Self

from stack.waiting import until
from tests.harness.http import outcome

PERIOD = 0.02  # seconds, as the issue asks for


class Watch:
    """`with Watch(port, "/readyz") as watch:` then `watch.changes` is e.g. `[503, 200]`, `watch.slowest` in seconds."""

    def __init__(self, port: int, path: str, timeout: float = 2) -> None:
        self.changes: list[int | str] = []
        self.slowest = 0.0
        self.count = 0
        self._port = port
        self._path = path
        self._timeout = timeout
        self._stop = threading.Event()
        self._looked = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._looked.wait(self._timeout + 5)  # what happens next happens after the first look
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def answers(self) -> list[int | str]:
        """The changes of statuses alone: without the time before the server listened, or after."""
        statuses = [change for change in self.changes if isinstance(change, int)]
        return [now for before, now in zip([None, *statuses], statuses, strict=False) if now != before]

    def go_on(self, looks: int = 1) -> None:
        """Return after more than so many further looks: by then, one that began after the call has been counted."""
        seen = self.count
        until(lambda: self.count > seen + looks, 10, f"{looks} more looks", lambda: self.count)

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            now = outcome(self._port, self._path, self._timeout)
            took = time.monotonic() - began
            self.count += 1
            if isinstance(now, int):
                self.slowest = max(self.slowest, took)
            if not self.changes or self.changes[-1] != now:
                self.changes.append(now)
            self._looked.set()
            self._stop.wait(max(0.0, PERIOD - took))
