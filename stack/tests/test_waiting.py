"""Waiting for a fact."""

import asyncio

import pytest

from stack import StackError, until, until_async


def test_it_returns_the_first_true_answer() -> None:
    """What is waited for is what is returned."""
    answers = iter([None, "", "yes", "later"])
    assert until(lambda: next(answers), 5, "an answer", interval=0) == "yes"


def test_its_error_carries_the_last_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads the time-out learns what was wrong last, and what was waited for."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    reasons = iter(["first", "last"])

    def fail() -> None:
        now[0] += 1
        raise OSError(next(reasons))

    with pytest.raises(StackError, match=r"the port: not within 2 s \(OSError: last\)"):
        until(fail, 2, "the port", interval=0)


def test_its_error_carries_the_last_answer() -> None:
    """Without an exception the reason is the answer that was not true."""
    with pytest.raises(StackError, match=r"all rows: not within 0 s \(last answer: \[\]\)"):
        until(list, 0, "all rows")


def test_a_stack_error_ends_the_wait() -> None:
    """What can't come true any more is not waited for."""
    attempts = 0

    def never() -> None:
        nonlocal attempts
        attempts += 1
        raise StackError("it died")

    with pytest.raises(StackError, match="it died"):
        until(never, 60, "its life")
    assert attempts == 1


def test_its_error_carries_what_was_seen() -> None:
    """Where something says more than the last answer, such as a log, the error has it as it is then."""
    log = ["begun"]

    def attempt() -> bool:
        log.append("tried")
        return False

    with pytest.raises(StackError, match=r"the end: not within 0 s \(tried\)"):
        until(attempt, 0, "the end", lambda: log[-1])


def test_a_tuple_is_no_answer() -> None:
    """Whoever returns a reason beside the answer is told so, instead of going on at once."""
    with pytest.raises(TypeError, match="always true"):
        until(lambda: (False, "not yet"), 60, "its life")


def test_an_event_loop_goes_on_meanwhile() -> None:
    """In an event loop, what is waited for is done by another task of it; the error is the same."""

    async def wait() -> None:
        made = asyncio.create_task(asyncio.sleep(0, "made"))
        assert await until_async(lambda: made.done() and made.result()) == "made"
        with pytest.raises(StackError, match=r"nothing: not within 0 s \(last answer: \[\]\)"):
            await until_async(list, 0, "nothing")

    asyncio.run(wait())
