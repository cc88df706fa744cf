"""The bounds of `make flood`, of rounds that were not measured."""

from collections.abc import Sequence

from loadtest.bench.flood import ALONE, LANES, ONE_LANE, Measured, bounds
from loadtest.openloop import Constant, Plan, Row, Run

SEARCHES = 11  # one a second


def searches(failed: int = 0, seconds: float = 0.01) -> Run:
    """Of one phase."""
    rows = [
        Row(
            number,
            "search",
            float(number),
            float(number),
            done=number + seconds,
            status=503 if number < failed else 200,
        )
        for number in range(SEARCHES)
    ]
    return Run(Plan(Constant(1), ()), 0.0, tuple(rows), complete=True)


def stored(calls: int) -> Sequence[Row]:
    """So many calls in the time of the searches."""
    return [Row(number, "documents", 1.0, 1.0, done=2.0, status=200) for number in range(calls)]


def a_round(lanes: int, one_lane: int, failed: int = 0) -> list[Measured]:
    """With so many calls to store answered, and so many searches failed beside them."""
    slow = searches(seconds=1.0)
    return [
        Measured(ALONE, searches()),
        Measured(LANES, searches(failed), stored(lanes)),
        Measured(ONE_LANE, slow, stored(one_lane)),
    ]


def missed(*rounds: list[Measured]) -> list[str]:
    """The names of the bounds that these rounds miss."""
    return [bound.name for bound in bounds(rounds) if not bound.kept]


def test_no_search_of_any_round_may_fail() -> None:
    """A median would forgive a round in which all of them did."""
    assert missed(*[a_round(8, 10)] * 3) == []
    assert "lanes: searches that failed, %" in missed(a_round(8, 10), a_round(8, 10), a_round(8, 10, failed=SEARCHES))


def test_documents_are_compared_within_a_round() -> None:
    """Each round has a rate of its own: 0.8, 0.8 and 0.3 have the median 0.8, the medians the ratio 15/50."""
    assert missed(a_round(80, 100), a_round(8, 10), a_round(15, 50)) == []


def test_a_control_that_stored_nothing_is_no_error() -> None:
    """It is infinitely worse, unless the two lanes stored nothing either."""
    name = "documents/s, lanes / one lane"
    assert name not in missed(a_round(8, 0))
    assert name in missed(a_round(0, 0))
