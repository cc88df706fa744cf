"""From rows to figures."""

import pytest

from loadtest.bench import table
from loadtest.bench.cases import Row
from loadtest.bench.goals import Goal
from loadtest.bench.summary import FIGURES, outcomes, summary


def row(round_: int, system: str, value: float, **more: float) -> Row:
    """A row whose figures are all the same."""
    return {"round": round_, "system": system, **dict.fromkeys(FIGURES, value), **more}


def test_a_system_is_summed_up_by_medians() -> None:
    """One bad round moves no figure, and each has exactly the keys that others read."""
    rows = [row(number, "textbook", value) for number, value in enumerate((7.0, 5.0, 900.0))]
    assert summary(rows, 3)["systems"] == {"textbook": dict.fromkeys(FIGURES, 7.0)}


def test_ratios_are_taken_within_rounds() -> None:
    """The median of the rounds' ratios, not the ratio of medians: rounds differ in how busy the machine is."""
    rows = []
    for number, (ours, theirs) in enumerate(((1, 10), (2, 6), (4, 24))):
        rows += [row(number, "worker-auto", ours), row(number, "textbook", theirs)]
    assert summary(rows, 3)["ratios"]["textbook/worker-auto ready_seconds"] == 6.0


def test_a_comparison_in_turns_is_one_of_the_ratios() -> None:
    """What the worker has above its limit stands in its own row, in milliseconds, and is summed up as ratios are."""
    rows = [
        row(number, "worker-onnx", 3.0) | {"in_turns": {"p50_ms_c1": ms}} for number, ms in enumerate((1.5, 0.5, 9))
    ]
    assert summary(rows, 3)["ratios"] == {"worker-onnx in_turns.p50_ms_c1": 1.5}


def test_a_system_that_failed_is_absent() -> None:
    """A system that was not measured in every round has no figures, and no ratio is made up for it."""
    rows = [row(0, "worker-auto", 1.0), row(0, "infinity", 1.0), row(1, "worker-auto", 1.0)]
    failed = {"round": 1, "system": "infinity", "failed": "no such program"}
    result = summary([*rows, failed], 2)
    assert set(result["systems"]) == {"worker-auto"}
    assert result["rounds"] == 2


def test_a_round_without_both_systems_has_no_ratio() -> None:
    """The comparison is left out, rather than made across rounds."""
    rows = [row(0, "worker-auto", 1.0), row(1, "textbook", 9.0)]
    assert not [each for each in outcomes(rows) if each.goal.right]


@pytest.mark.parametrize(
    ("sense", "bound", "reached"), [("≥", 5, True), ("≥", 7, False), ("≤", 7, True), ("≤", 5, False)]
)
def test_goals_know_their_direction(sense: str, bound: float, reached: bool) -> None:
    """Six is at least five and at most seven."""
    goal = Goal("ready_seconds", "textbook", "worker-auto", sense, bound)  # type: ignore[arg-type]
    value = goal.value({"textbook": {"ready_seconds": 6.0}, "worker-auto": {"ready_seconds": 1.0}})
    assert value == 6.0
    assert goal.reached(value) is reached


def test_a_figure_may_lie_deeper() -> None:
    """`first_to_steady.longest` is the key `longest` of `first_to_steady`."""
    goal = Goal("first_to_steady.longest", "worker-auto", None, "≤", 1.5)
    assert goal.value({"worker-auto": {"first_to_steady": {"longest": 1.25}}}) == 1.25
    assert goal.value({"worker-auto": {}}) is None


@pytest.mark.parametrize(("limit", "within_reach"), [(4.0, False), (6.0, True)])
def test_a_goal_that_its_limit_misses_is_out_of_reach(limit: float, within_reach: bool) -> None:
    """The limit is compared in the same rounds, and stands among the ratios."""
    rows = [row(0, "api-hit", 3.0), row(0, "bare-fastapi", 10.0), row(0, "bare-redis", limit)]
    [found] = [each for each in outcomes(rows) if each.limit]
    assert (found.reached, found.within_reach) == (False, within_reach)
    ratios = summary(rows, 1)["ratios"]
    assert ratios["bare-redis/bare-fastapi texts_per_s_c32"] == limit / 10
    assert ("MISSED, by the limit too" in table.goals([found])) is not within_reach
