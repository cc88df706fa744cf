"""One probe of a service of this machine, asked every 20 ms."""

from typing import Self

from stack import until
from stack.ports import HOST
from stack.prober import NONE, Prober

PERIOD = 0.02  # seconds


class Watch(Prober):
    """`with Watch(port, "/readyz") as watch:` then `watch.answers` is e.g. `[503, 200]`, `watch.slowest` in seconds."""

    def __init__(self, port: int, path: str, timeout: float = 2) -> None:
        super().__init__(f"http://{HOST}:{port}", [path], PERIOD, timeout)
        self._track = self.tracks[path]
        self._first_look = timeout + 5

    def __enter__(self) -> Self:
        super().__enter__()
        self.go_on(0, self._first_look)  # what happens next happens after the first look
        return self

    @property
    def count(self) -> int:
        """Looks so far."""
        return len(self._track.looks)

    @property
    def slowest(self) -> float:
        """Seconds of the slowest answer."""
        return self._track.slowest

    @property
    def changes(self) -> list[int | str]:
        """The answers, each change once; `none` where there was none."""
        return [int(value) if value != NONE else value for value in self._track.values]

    @property
    def answers(self) -> list[int | str]:
        """The changes of statuses alone: without the time before the server listened, or after."""
        statuses = [change for change in self.changes if isinstance(change, int)]
        return [now for before, now in zip([None, *statuses], statuses, strict=False) if now != before]

    def go_on(self, looks: int = 1, timeout: float = 10) -> None:
        """Return after more than so many further looks: by then, one that began after the call has been counted."""
        seen = self.count
        until(lambda: self.count > seen + looks, timeout, f"{looks} more looks", lambda: self.count)
