"""Tokenizing as SentenceTransformer does it, without importing transformers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, normalizers

from worker.engines.base import TokenIds


class TextTokenizer:
    """The fast tokenizer of a model folder; it may be used from several threads at a time."""

    def __init__(self, folder: Path) -> None:
        """Read the transformer's folder. Raises an error naming the file that it lacks or that is garbled."""
        options = _read(folder / "sentence_bert_config.json")
        self.max_tokens: int = options.get("max_seq_length") or _longest(folder)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        # The file may contain the padding and the shorter truncation of the model's training.
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.max_tokens)
        if options.get("do_lower_case"):
            steps = [normalizers.Lowercase(), self._tokenizer.normalizer]
            self._tokenizer.normalizer = normalizers.Sequence([step for step in steps if step])
        self.vocabulary_size: int = self._tokenizer.get_vocab_size()
        self._before, self._after = self._special_tokens()

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """Ids with special tokens, truncated; the interpreter lock is released meanwhile."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def from_ids(self, ids: Sequence[int]) -> TokenIds:
        """The ids, truncated, between the special tokens."""
        room = self.max_tokens - len(self._before) - len(self._after)
        return [*self._before, *ids[:room], *self._after]

    def _special_tokens(self) -> tuple[TokenIds, TokenIds]:
        encoding = self._tokenizer.encode("a")
        own = [place for place, special in enumerate(encoding.special_tokens_mask) if not special]
        return encoding.ids[: own[0]], encoding.ids[own[-1] + 1 :]


def _longest(folder: Path) -> int:
    """The limit that sentence-transformers uses when the folder names none."""
    asked = _read(folder / "tokenizer_config.json").get("model_max_length")
    possible: int = _read(folder / "config.json")["max_position_embeddings"]
    return min(asked or possible, possible)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return content
