"""The judge of searches knows which space was served when, and what the load had written by then."""

from typing import Any

import pytest

from drills.answers import Look, Served, judge, lacking
from drills.exact import Exact, Space
from drills.tests.test_exact import DOCUMENTS, NEW, OLD, QUERY, answer
from loadtest.openloop import Row

EXACT = {"old": OLD, "new": NEW}
PHASES = {"before": 0.0, "after": 12.0}


def searched(at: float, exact: Exact, **more: Any) -> Row:
    """A search that took from `at` to half a second later."""
    return Row(0, "nearest", at, at, done=at + 0.5, status=200, kept={**answer(exact), **more})


def served() -> Served:
    """The old space until a step from 10 to 12, then the new one."""
    changed = Served("old")
    changed.change(10, 12, "new")
    return changed


def test_each_space_is_served_in_its_time() -> None:
    """During the step, both may answer; a request that lasted longer than it, too."""
    known = served()
    assert known.between(5, 9.9) == {"old"}
    assert known.between(5, 10) == known.between(10.5, 11) == known.between(9, 13) == {"old", "new"}
    assert known.between(12.1, 13) == {"new"}
    known.change(20, 21, "old")
    assert known.between(13, 19) == {"new"}
    assert known.between(22, 23) == {"old"}


def test_right_answers_are_right() -> None:
    """The judge tells the spaces' order, and how near the documents were in each phase."""
    found = judge([searched(1, OLD), searched(10, OLD), searched(11, NEW), searched(13, NEW)], EXACT, served(), PHASES)
    assert (found.asked, found.fewer, found.wrong.total()) == (4, 0, 0)
    assert found.order == ["old", "new"]
    assert found.nearness("before") == found.nearness("after") == 1.0


def test_the_other_space_at_the_wrong_time_is_wrong() -> None:
    """The new one before the step, the old one after it."""
    found = judge([searched(1, NEW), searched(13, OLD)], EXACT, served(), PHASES)
    assert sorted(found.wrong) == [
        "of the new space, while searches used the old one",
        "of the old space, while searches used the new one",
    ]


def test_a_mix_is_wrong_and_fewer_are_counted() -> None:
    """Even while both may be served: one answer is of one space."""
    mix = [*answer(OLD)["found"][:5], *answer(NEW)["found"][5:]]
    found = judge([searched(11, OLD, found=mix), searched(11, OLD, found=[])], EXACT, served(), PHASES)
    assert found.wrong.total() == 1
    assert found.fewer == 1


@pytest.mark.parametrize(
    ("score", "lost"),
    [("last", {}), ("meanwhile", {}), ("first", {"found by another text than the last": 1}), ("", {"not found": 1})],
)
def test_what_was_written_is_found_by_its_last_text(score: str, lost: dict[str, int]) -> None:
    """By that of a write under way at the same time, too; not by a former one."""
    space: Space = OLD.space
    texts = dict(zip(("first", "last", "meanwhile"), DOCUMENTS.values(), strict=False))
    times = {"first": (1, 2), "last": (5, 6), "meanwhile": (8, 20)}
    rows = [
        Row(0, "write", begin, begin, done=end, kept={"id": "a", "text": texts[name]})
        for name, (begin, end) in times.items()
    ]
    look = Look(10, 11, "old", {"a": space.score(QUERY, texts[score])} if score else {})
    assert lacking(look, rows, space, QUERY) == lost
    assert not lacking(Look(0.5, 0.9, "old", {}), rows, space, QUERY)
