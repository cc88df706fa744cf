"""Waits for a fact instead of a time: `until` in a thread, `until_async` in an event loop."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from stack.errors import StackError

T = TypeVar("T")

INTERVAL = 0.02  # seconds between two attempts


def until(
    attempt: Callable[[], T | None],
    timeout: float,
    what: str,
    seen: Callable[[], object] | None = None,
    interval: float = INTERVAL,
) -> T:
    """Call `attempt` until it returns something true, and return that.

    An exception means "not yet", and is the reason; a StackError means "never" and passes through.

    Args:
        attempt: asked at least once.
        timeout: seconds.
        what: the fact in words, for the error.
        seen: what the error says instead of the last answer, such as the end of a log.
        interval: seconds between two attempts.

    Raises:
        StackError: the fact did not come true in time; the message has the last reason.
        TypeError: `attempt` returned a tuple that begins with a bool: any such tuple is true.
    """
    bounded = _bounded(attempt, timeout, what, seen)
    while not (result := bounded()):
        time.sleep(interval)
    return result


async def until_async(
    attempt: Callable[[], T | None], limit: float = 60.0, what: str = "the condition", interval: float = 0.005
) -> T:
    """`until` for the event loop, which goes on meanwhile."""
    bounded = _bounded(attempt, limit, what, None)
    while not (result := bounded()):  # noqa: ASYNC110 - what is waited for may set no event
        await asyncio.sleep(interval)
    return result


def _bounded(
    attempt: Callable[[], T | None], timeout: float, what: str, seen: Callable[[], object] | None
) -> Callable[[], T | None]:
    """The attempt, which raises StackError when it fails and the time is over."""
    deadline = time.monotonic() + timeout

    def bounded() -> T | None:
        try:
            result = attempt()
        except StackError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the reason why not yet
            result, reason = None, f"{type(error).__name__}: {error}"
        else:
            reason = f"last answer: {result!r}"
        if isinstance(result, tuple) and result and isinstance(result[0], bool):
            raise TypeError(f"{what}: a tuple that begins with a bool is always true")
        if not result and time.monotonic() >= deadline:
            raise StackError(f"{what}: not within {timeout:g} s ({seen() if seen else reason})")
        return result

    return bounded
