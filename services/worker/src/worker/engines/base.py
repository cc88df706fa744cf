"""The interface of engines, which run a model.

Tokenizing is separate from embedding, since token counts decide admission and batching.
"""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

TokenIds: TypeAlias = list[int]
Vectors: TypeAlias = NDArray[np.float32]


class Engine(Protocol):
    """A loaded model. `embed` is called from one thread only; the others from any, also at the same time.

    `lengths` are the row lengths that it computes at, ascending; rows are padded to the next. Empty: any is as good.
    The warm-up narrows them to those that it has tried, and widens them later: read them anew for each pass.
    """

    lengths: Sequence[int]

    @property
    def name(self) -> str:
        """The value of `ENGINE` that selects it."""

    @property
    def precision(self) -> str:
        """Number format of the computation, such as fp32."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""

    @property
    def max_tokens(self) -> int:
        """Longest input in tokens, special tokens included; the rest is cut off."""

    @property
    def cut(self) -> str:
        """The side where long inputs are cut off, `left` or `right`."""

    @property
    def vocabulary_size(self) -> int:
        """Token ids are 0 to this number, exclusive."""

    @property
    def rows(self) -> Sequence[int]:
        """The numbers of rows that it computes, ascending; a batch is filled up to the next. Empty: any is as good."""

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """Token ids of each text with special tokens, truncated; long texts take milliseconds."""

    def from_ids(self, ids: Sequence[int]) -> TokenIds:
        """Add special tokens to ids that came without, and truncate, as `encode` would."""

    def embed(self, batch: Sequence[TokenIds]) -> Vectors:
        """One forward pass: (len(batch), dimensions), unit rows in the order of the batch."""
