"""The tokenizer, and with it the limits of an input, for all engines with a real model."""

from collections.abc import Sequence

from worker.engines.base import TokenIds
from worker.engines.text_tokenizer import TextTokenizer


class TokenizingEngine:
    """The half of `Engine` that is the same for every library."""

    lengths: Sequence[int] = ()
    rows: Sequence[int] = ()

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self.tokenizer = tokenizer
        self.max_tokens = tokenizer.max_tokens
        self.cut = tokenizer.cut
        self.vocabulary_size = tokenizer.vocabulary_size

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """As the interface has it."""
        return self.tokenizer.encode(texts)

    def from_ids(self, ids: Sequence[int]) -> TokenIds:
        """As the interface has it."""
        return self.tokenizer.from_ids(ids)
