"""Ctrl-C, SIGTERM and SIGHUP end a run: the first of them has everything rolled back, and no other cuts that short."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """The first signal raises KeyboardInterrupt, at once or at the end of what is shielded; those after it do nothing.

    Handlers are Python's own, since a signal that is ignored or blocked would be so in services that start meanwhile.
    """

    def __init__(self) -> None:
        self._shields = 0
        self._come = self._raised = False

    def listen(self) -> None:
        """From now on; a signal that this process ignores, as under nohup, it goes on ignoring."""
        for each in SIGNALS:
            if signal.getsignal(each) != signal.SIG_IGN:
                signal.signal(each, self._hear)

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """What is done inside is completed."""
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
            self._raise()

    def _hear(self, *_: object) -> None:
        self._come = True
        self._raise()

    def _raise(self) -> None:
        if self._come and not self._raised and not self._shields:
            self._raised = True
            raise KeyboardInterrupt


INTERRUPTS = Interrupts()
