"""Wait for a fact instead of for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

from stack.errors import StackError

T = TypeVar("T")

INTERVAL = 0.05  # seconds


def poll_until(attempt: Callable[[], T | None], timeout: float, what: str, interval: float = INTERVAL) -> T:
    """Call `attempt` until it returns something true, and return that.

    An exception means "not yet", and is the reason; a StackError means "never" and passes through.

    Args:
        attempt: asked at least once.
        timeout: seconds.
        what: what is waited for, for the error.
        interval: seconds between two attempts.

    Raises:
        StackError: it didn't come true in time; the message carries the last reason.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            result = attempt()
        except StackError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the reason why not yet
            reason = f"{type(error).__name__}: {error}"
        else:
            if result:
                return result
            reason = f"last answer: {result!r}"
        if time.monotonic() >= deadline:
            raise StackError(f"{what}: not within {timeout:g} s ({reason})")
        time.sleep(interval)
