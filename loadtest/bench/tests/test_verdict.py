"""Bounds and percentiles."""

import pytest

from loadtest.bench.verdict import Bound, conclude, percentile


def test_a_percentile_is_an_observed_value() -> None:
    """Nearest rank: of 1 to 200, 99 % is 198; of a single value it is that value."""
    assert percentile(range(200, 0, -1), 99) == 198
    assert percentile([7.0], 99) == 7.0
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


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
