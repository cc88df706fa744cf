"""The measurement of keys' times: its statistic, and that it runs."""

import numpy as np
import pytest

from loadtest.keys.__main__ import main
from loadtest.keys.statistic import compare


def test_times_of_one_kind_are_not_told_apart() -> None:
    """And those that are longer by a tenth of their spread are, by 10,000 tries of each; so are equal ones by none."""
    drawn = np.random.default_rng(7).normal(10_000, 1_000, (2, 10_000)).astype(np.int64)
    alike, longer = compare(drawn[0], drawn[1]), compare(drawn[0], drawn[1] + 100)
    assert not alike.told_apart
    assert longer.told_apart
    assert longer.auc > alike.auc
    assert compare(drawn[0][:10] * 0, drawn[1][:10] * 0).p == 1.0


def test_the_statistic_is_that_of_mann_and_whitney() -> None:
    """By hand: of 3 x 4 pairs the second time is longer in 7, and equal in 2."""
    found = compare(np.array([1, 3, 5]), np.array([2, 3, 5, 9]))
    assert found.auc == pytest.approx((7 + 2 / 2) / 12)


def test_the_measurement_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """With few tries; whether it tells keys apart is no matter of a test on a busy machine."""
    assert main(["--tries", "50", "--known", "3"]) in (0, 1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "the check, 50 tries each, wrong keys and nearly right ones",
        "the check, 50 tries each, wrong keys and other wrong ones",
        "over loopback, 50 tries each, wrong keys and right ones",
        "over loopback, 50 tries each, wrong keys and nearly right ones",
        "over loopback, 50 tries each, wrong keys and other wrong ones",
    ]
