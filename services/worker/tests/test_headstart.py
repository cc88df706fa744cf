"""The load begins at the fork, once, on the thread that will embed."""

from collections.abc import Iterator

import pytest

from worker import headstart
from worker.settings import WorkerSettings


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No load of one test reaches the next."""
    yield
    headstart.take()


def test_a_load_that_was_begun_is_taken_once() -> None:
    """The first taker gets it with its thread; the next one gets a thread of its own and no load."""
    headstart.begin(WorkerSettings(engine="fake"))
    _, begun = headstart.take()
    assert begun
    assert begun.result(timeout=10).engine.name == "fake"
    assert headstart.take()[1] is None


@pytest.mark.parametrize("warmup", ["lazy", "blocking"])
def test_other_ways_to_warm_up_have_none(warmup: str) -> None:
    """They exist to be measured against."""
    headstart.begin(WorkerSettings(engine="fake", warmup=warmup))
    assert headstart.take()[1] is None
