"""Waiting for a fact."""

import pytest

from stack import StackError, poll_until


def test_it_returns_the_first_true_answer() -> None:
    """What is waited for is what is returned."""
    answers = iter([None, "", "yes", "later"])
    assert poll_until(lambda: next(answers), 5, "an answer", interval=0) == "yes"


def test_its_error_carries_the_last_exception() -> None:
    """Who reads the time-out learns what was wrong last, and what was waited for."""
    reasons = iter(["first"])

    def fail() -> None:
        raise OSError(next(reasons, "last"))

    with pytest.raises(StackError, match=r"the port: not within 0.02 s \(OSError: last\)"):
        poll_until(fail, 0.02, "the port", interval=0.005)


def test_its_error_carries_the_last_answer() -> None:
    """Without an exception the reason is the answer that was not true."""
    with pytest.raises(StackError, match=r"all rows: not within 0 s \(last answer: \[\]\)"):
        poll_until(list, 0, "all rows")


def test_a_stack_error_ends_the_wait() -> None:
    """What can't come true any more is not waited for."""
    attempts = 0

    def never() -> None:
        nonlocal attempts
        attempts += 1
        raise StackError("it died")

    with pytest.raises(StackError, match="it died"):
        poll_until(never, 60, "its life")
    assert attempts == 1
