"""Pads rows of different lengths to one rectangle."""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from worker.engines.base import TokenIds


def pad(
    batch: Sequence[TokenIds], fill: int, lengths: Sequence[int] = (), counts: Sequence[int] = ()
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids padded on the right with `fill`, and the attention mask: both (rows, longest row).

    Each number is raised to the next of `counts` and `lengths`; the rows beyond the batch attend to one token.
    """
    shape = next_of(counts, len(batch)), next_of(lengths, max(map(len, batch)))
    ids, mask = np.full(shape, fill, np.int64), np.zeros(shape, np.int64)
    mask[len(batch) :, 0] = 1
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return ids, mask


def next_of(steps: Sequence[int], number: int) -> int:
    """The first of the ascending `steps` that is not less; beyond the last, the number itself."""
    place = bisect_left(steps, number)
    return steps[place] if place < len(steps) else number
