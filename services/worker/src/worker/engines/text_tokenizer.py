"""Tokenizing as SentenceTransformer does it, without importing transformers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tokenizers import Tokenizer, normalizers

from worker.engines.base import TokenIds

TOKENIZER, CONFIG, OPTIONS = "tokenizer.json", "tokenizer_config.json", "sentence_bert_config.json"


class TextTokenizer:
    """The fast tokenizer of a model folder; it may be used from several threads at a time."""

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, cut: str | None = None) -> None:
        """`cut` is the side where long texts are cut, `left` or `right`; without it, the tokenizer's own."""
        # It may come with the padding and the shorter truncation of the model's training.
        tokenizer.no_padding()
        cut = cut or (tokenizer.truncation or {}).get("direction", "right")
        tokenizer.enable_truncation(max_tokens, direction=cut)
        self.max_tokens = max_tokens
        self.cut = cut
        self.vocabulary_size: int = tokenizer.get_vocab_size()
        self._tokenizer = tokenizer
        self._before, self._after = self._special_tokens()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the transformer's folder. Raises an error naming the file that it lacks or that is garbled."""
        options = _read(folder / OPTIONS)
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        if options.get("do_lower_case"):
            steps = [normalizers.Lowercase(), tokenizer.normalizer]
            tokenizer.normalizer = normalizers.Sequence([step for step in steps if step])
        cut = _read(folder / CONFIG).get("truncation_side")
        return cls(tokenizer, options.get("max_seq_length") or _longest(folder), cut)

    def save(self, folder: Path) -> None:
        """Write what `read` reads."""
        folder.mkdir()
        self._tokenizer.save(str(folder / TOKENIZER), pretty=False)
        (folder / OPTIONS).write_text(json.dumps({"max_seq_length": self.max_tokens}) + "\n")

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """Ids with special tokens, truncated; the interpreter lock is released meanwhile."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def from_ids(self, ids: Sequence[int]) -> TokenIds:
        """The ids, truncated, between the special tokens."""
        room = self.max_tokens - len(self._before) - len(self._after)
        kept = ids[max(0, len(ids) - room) :] if self.cut == "left" else ids[:room]
        return [*self._before, *kept, *self._after]

    def _special_tokens(self) -> tuple[TokenIds, TokenIds]:
        encoding = self._tokenizer.encode("a")
        own = [place for place, special in enumerate(encoding.special_tokens_mask) if not special]
        return encoding.ids[: own[0]], encoding.ids[own[-1] + 1 :]


def _longest(folder: Path) -> int:
    """The limit that sentence-transformers uses when the folder names none."""
    asked = _read(folder / CONFIG).get("model_max_length")
    possible: int = _read(folder / "config.json")["max_position_embeddings"]
    return min(asked or possible, possible)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return content
