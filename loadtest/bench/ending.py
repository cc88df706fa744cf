"""Makes SIGTERM end a program as Ctrl-C does: with everything that it started."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


def end_cleanly_on_sigterm() -> None:
    """From here on SIGTERM unwinds the stack, so that servers under measurement are stopped; exit code 143."""
    signal.signal(signal.SIGTERM, _leave)


@contextmanager
def sigterm_waits() -> Iterator[None]:
    """Let SIGTERM take effect after the block.

    One that came in the midst of `Popen` left the new process running (2 of 10). The signal is not blocked instead,
    since the new process would inherit that.
    """
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        for number in came:
            signal.raise_signal(number)


def _leave(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
