"""Waiting for a fact, with what was seen last in the error."""

from collections.abc import Callable

from stack.polling import poll_until


def until(look: Callable[[], tuple[bool, str]], timeout: float, what: str) -> None:
    """Look until the first of the pair is true; the second is the reason in the error after `timeout` seconds."""

    def attempt() -> bool:
        reached, seen = look()
        if not reached:
            raise AssertionError(seen)
        return True

    poll_until(attempt, timeout, what, interval=0.02)
