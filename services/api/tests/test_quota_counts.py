"""The arithmetic of the quota, and the counts that one process keeps."""

import random

import pytest
from limits import parse

from api import quota_counts
from api.quota_counts import OwnCounts
from api.quota_window import Window


class Clock:
    """`time.monotonic` that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the counts."""
    made = Clock()
    monkeypatch.setattr(quota_counts, "time", made)
    return made


@pytest.mark.parametrize("seed", range(200))
def test_a_refused_call_passes_when_it_was_told_to_come_back(clock: Clock, seed: int) -> None:
    """After `wait` seconds, if nobody spends meanwhile, the same call fits; noticeably earlier it does not."""
    chance = random.Random(seed)
    counts = OwnCounts(parse("20/minute"))
    for _ in range(chance.randint(1, 12)):
        counts.hit("a", chance.randint(1, 15))
        clock.now += chance.uniform(0, 15)
    cost = chance.randint(1, 20)
    fits, window = counts.hit("a", cost)
    if fits:
        return
    wait = window.wait(20 - cost)
    assert 0 < wait <= 120
    clock.now += wait - 0.01
    assert wait < 0.01 or not counts.hit("a", cost)[0]
    clock.now += 0.02
    assert counts.hit("a", cost)[0]


def test_the_earlier_window_fades(clock: Clock) -> None:
    """Half a window later half of the earlier count is left, and after two windows nothing."""
    clock.now = 60 * 100.0
    counts = OwnCounts(parse("10/minute"))
    assert counts.hit("a", 10)[0]
    clock.now += 60 + 30
    assert [counts.hit("a", 6)[0], counts.hit("a", 5)[0]] == [False, True]
    clock.now += 120
    assert counts.hit("a", 10)[0]


def test_a_window_ends() -> None:
    """The reset of a fresh caller is the end of its window; of one that spent nothing in it, of the earlier one."""
    assert Window(60, 0, 0, 5, 100).ends == 40
    assert Window(60, 5, 40, 0, 0).ends == 40
    assert Window(60, 0, 0, 0, 0).spent == 0


@pytest.mark.usefixtures("clock")
def test_callers_are_counted_apart_and_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process remembers a bounded number of callers, however many addresses somebody has."""
    monkeypatch.setattr(quota_counts, "CALLERS", 3)
    counts = OwnCounts(parse("1/hour"))
    assert [counts.hit(caller, 1)[0] for caller in "abcabcd"] == [True] * 3 + [False] * 3 + [True]
    assert [counts.hit(caller, 1)[0] for caller in "bcd"] == [False] * 3
    assert counts.hit("a", 1)[0]
