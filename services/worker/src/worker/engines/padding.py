"""Rows of different lengths as one rectangle."""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from worker.engines.base import TokenIds


def pad(
    batch: Sequence[TokenIds], fill: int, lengths: Sequence[int] = ()
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids padded on the right with `fill`, and the attention mask: both (rows, longest, or the next of `lengths`)."""
    shape = len(batch), next_length(max(map(len, batch)), lengths)
    ids, mask = np.full(shape, fill, np.int64), np.zeros(shape, np.int64)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return ids, mask


def next_length(tokens: int, lengths: Sequence[int]) -> int:
    """The first of the ascending `lengths` that holds so many tokens; without one, just as many."""
    place = bisect_left(lengths, tokens)
    return lengths[place] if place < len(lengths) else tokens
