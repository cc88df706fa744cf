"""Rows of different lengths as one rectangle."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from worker.engines.base import TokenIds


def pad(batch: Sequence[TokenIds], fill: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids padded on the right with `fill`, and the attention mask: both (rows, longest)."""
    shape = len(batch), max(map(len, batch))
    ids, mask = np.full(shape, fill, np.int64), np.zeros(shape, np.int64)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return ids, mask
