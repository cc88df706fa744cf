"""Texts are divided into passes without loss and with little padding."""

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.jobs import Item, Job
from worker.passes import PASS, passes


def items_of(sizes: list[int]) -> list[Item]:
    """One text of each size, of one request."""

    async def make() -> Job:
        return Job([[1] * size for size in sizes], "texts", 0.0, 384)

    job = asyncio.run(make())
    return [Item(job, index) for index in range(len(sizes))]


@settings(deadline=None)
@given(st.lists(st.integers(1, 256), max_size=100))
def test_every_text_is_in_exactly_one_pass(sizes: list[int]) -> None:
    """Passes are a partition of the batch."""
    items = items_of(sizes)
    assert Counter(item.index for batch in passes(items) for item in batch) == Counter(range(len(sizes)))


def cost(batches: list[list[Item]]) -> int:
    """What passes of these texts cost, in tokens, on an engine that takes any shape."""
    return sum(PASS + len(batch) * max(len(item.ids) for item in batch) for batch in batches)


@settings(deadline=None)
@given(st.lists(st.integers(1, 256), min_size=1, max_size=40))
def test_no_simpler_division_is_cheaper(sizes: list[int]) -> None:
    """Passes and padding cost no more than one pass for all, one for each, or one for each length."""
    items = items_of(sizes)
    divided = cost(passes(items, rows=range(1, 41)))
    by_length = [[item for item in items if len(item.ids) == size] for size in set(sizes)]
    assert divided <= min(cost([items]), cost([[item] for item in items]), cost(by_length))


def test_a_batch_is_cut_where_rows_of_nothing_would_cost_more() -> None:
    """Of 21 texts of 100 tokens, an engine that computes 16 or 32 rows at a time gets 16 and then the rest."""
    assert [len(batch) for batch in passes(items_of([100] * 21), (), (1, 4, 16, 32))] == [16, 4, 1]
    assert [len(batch) for batch in passes(items_of([3] * 15), (), (1, 4, 16, 32))] == [15]


def test_lengths_that_are_padded_alike_share_a_pass() -> None:
    """What an engine pads to the same length is no padding more when it is computed together."""
    assert [len(batch) for batch in passes(items_of([9, 11, 13, 15, 17] * 20), (16, 24), range(1, 101))] == [80, 20]


def test_texts_of_one_length_share_a_pass() -> None:
    """Nothing is divided without need."""
    [batch] = passes(items_of([17] * 96))
    assert len(batch) == 96
