"""The drills' own exact search tells a right answer from a wrong one, and one space from another."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from drills.corpus import GROUP, filed
from drills.exact import Exact, Rows, Space
from worker.engines.fake import FakeEngine

DOCUMENTS = filed(3 * GROUP)
QUERY = "anything"


def space(model: str) -> Space:
    """That of a fake model."""
    engine = FakeEngine(model)

    def embedded(texts: Sequence[str]) -> Rows:
        return engine.embed(engine.encode(texts)).astype(np.float64)

    made = Space(embedded)
    made.learn([QUERY])
    return made


OLD, NEW = (Exact(space(model), DOCUMENTS) for model in ("", "other"))


def answer(exact: Exact, limit: int = 10, group: int | None = None) -> dict[str, Any]:
    """The right one, as the row of a request has it."""
    scored = [(name, round(exact.space.score(QUERY, text), 6)) for name, text in DOCUMENTS.items()]
    wanted = [each for each in scored if group is None or int(each[0].rpartition("-")[2]) // GROUP == group]
    best = sorted(wanted, key=lambda each: (-each[1], each[0]))[:limit]
    return {"query": QUERY, "group": group, "found": [list(each) for each in best]}


@pytest.mark.parametrize("group", [None, 1])
def test_an_answer_is_right_in_its_own_space_only(group: int | None) -> None:
    """The nearest documents of one space have other scores in the other one."""
    limit = 10 if group is None else 100
    found = answer(OLD, limit, group)
    assert len(found["found"]) == OLD.expected(limit, group)
    assert (OLD.wrong(found), OLD.overlap(found)) == ("", 1.0)
    assert "off by" in NEW.wrong(found)


def test_an_answer_of_two_spaces_is_wrong_in_both() -> None:
    """One document with its score of the other space is enough."""
    found = answer(OLD)
    found["found"][-1] = answer(NEW)["found"][-1]
    assert OLD.wrong(found)
    assert NEW.wrong(found)


def test_a_group_is_found_as_a_whole() -> None:
    """An answer about a group that lacks a document is wrong, whatever its scores."""
    found = answer(OLD, 100, 2)
    del found["found"][7]
    assert OLD.wrong(found) == "39 documents, which are not those of its group"


def test_the_index_may_leave_out_a_document_which_is_counted() -> None:
    """Nine of the ten nearest, and the eleventh: not wrong, but less near."""
    found = answer(OLD, 11)
    del found["found"][3]
    assert OLD.wrong(found) == ""
    assert OLD.overlap(found) == 0.9


@pytest.mark.parametrize("change", [lambda f: f.reverse(), lambda f: f.append(f[-1]), lambda f: f.append(["x-1", 0.1])])
def test_order_twins_and_strangers_are_wrong(change: Any) -> None:
    """Best first, each document once, and only such as match the filter."""
    found = answer(OLD)
    change(found["found"])
    assert OLD.wrong(found)
