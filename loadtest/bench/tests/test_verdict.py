"""Figures and their bounds."""

import pytest

from loadtest.bench.verdict import Bound, conclude


def test_one_missed_bound_is_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """0 when all are kept, 1 when one is not, and every figure is printed."""
    kept, missed = Bound("p99 ms", 49.0, "≤", 50), Bound("lost", 1, "=", 0)
    assert conclude([kept]) == 0
    assert conclude([kept, missed]) == 1
    printed = capsys.readouterr().out
    assert "MISSED" in printed.splitlines()[-1]
    assert printed.count("p99 ms") == 2


def test_infinity_is_above_every_bound() -> None:
    """What never happened (no request was refused) keeps no limit."""
    assert not Bound("refused, p99 ms", float("inf"), "≤", 50).kept
