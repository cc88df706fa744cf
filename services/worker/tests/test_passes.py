"""Texts are divided into passes without loss and with little padding."""

import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from worker.jobs import Item, Job
from worker.passes import PADDING, passes


def items_of(sizes: list[int]) -> list[Item]:
    """One text of each size, of one request."""

    async def make() -> Job:
        return Job([[1] * size for size in sizes], "texts", 0.0, 384)

    job = asyncio.run(make())
    return [Item(job, index) for index in range(len(sizes))]


@given(st.lists(st.integers(1, 256), max_size=100))
def test_every_text_is_in_exactly_one_pass(sizes: list[int]) -> None:
    """Passes are a partition of the batch."""
    items = items_of(sizes)
    assert Counter(item.index for batch in passes(items) for item in batch) == Counter(range(len(sizes)))


@given(st.lists(st.integers(1, 256), min_size=1, max_size=100))
def test_padding_is_bounded(sizes: list[int]) -> None:
    """No pass computes more padding than another pass would cost."""
    for batch in passes(items_of(sizes)):
        lengths = [len(item.ids) for item in batch]
        assert max(lengths) * len(lengths) - sum(lengths) <= PADDING


def test_lengths_that_are_padded_alike_share_a_pass() -> None:
    """What an engine pads to the same length is no padding more when it is computed together."""
    assert [len(batch) for batch in passes(items_of([9, 11, 13, 15, 17] * 20), (16, 24))] == [80, 20]


def test_texts_of_one_length_share_a_pass() -> None:
    """Nothing is divided without need."""
    [batch] = passes(items_of([17] * 120))
    assert len(batch) == 120
