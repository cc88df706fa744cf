"""Small random models of different architectures in the format of sentence-transformers, made in a second.

It imports torch, which is not installed everywhere: import it in a test or fixture that is marked `reference`.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Read when torch is imported: otherwise its threads spin while they wait for each other, and all steps take longer.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors, trainers
from tokenizers import models as kinds
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    MPNetConfig,
    MPNetModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

SENTENCES = (Path(__file__).parents[1] / "data" / "sentences.txt").read_text().splitlines()
SIZES: dict[str, Any] = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "initializer_range": 0.1,  # texts get vectors that differ
}
PROMPTS = {"query": "query: ", "document": "passage: ", "clustering": "sort these: "}
BERT_NAMES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_NAMES = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
ROBERTA_IDS: dict[str, Any] = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}


def bert_mean(folder: Path) -> None:
    """BERT: WordPiece in lower case, mean pooling, normalized; 384 dimensions, as the default model has."""
    tokenizer = wordpiece()
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=128, **SIZES | {"hidden_size": 384})
    save(folder, BertModel(config), tokenizer, Pooling(384, "mean"), Normalize(), longest=64)


def bert_cls(folder: Path, size: int = 768) -> None:
    """BERT: cased, 768 dimensions, CLS pooling, not normalized, a limit of its architecture only."""
    tokenizer = wordpiece(lower=False)
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=80, **SIZES | {"hidden_size": size})
    save(folder, BertModel(config), tokenizer, Pooling(size, "cls"))


def distilbert(folder: Path) -> None:
    """DistilBERT: no token types, two poolings side by side, 64 dimensions together."""
    tokenizer = wordpiece()
    sizes: dict[str, Any] = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "initializer_range": 0.1}
    config = DistilBertConfig(vocab_size=len(tokenizer), max_position_embeddings=40, **sizes)
    save(folder, DistilBertModel(config), tokenizer, Pooling(32, ("cls", "mean")))


def xlm_roberta(folder: Path) -> None:
    """XLM-RoBERTa: unigram tokenizer, positions after the padding's id, the last token's vector, a Dense layer.

    Its 2,304 dimensions are more than pgvector indexes.
    """
    tokenizer = unigram()
    config = XLMRobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=66, **SIZES, **ROBERTA_IDS)
    save(folder, XLMRobertaModel(config), tokenizer, Pooling(48, "lasttoken"), Dense(48, 2304), longest=64)


def mpnet(folder: Path) -> None:
    """MPNet: byte-level BPE, max pooling, two Dense layers, and prompts, one of them the default."""
    tokenizer = byte_level()
    config = MPNetConfig(vocab_size=len(tokenizer), max_position_embeddings=130, **SIZES, **ROBERTA_IDS)
    layers = Pooling(48, "max"), Dense(48, 64), Dense(64, 384, bias=False)
    options: dict[str, Any] = {"prompts": PROMPTS, "default_prompt_name": "clustering"}
    save(folder, MPNetModel(config), tokenizer, *layers, longest=128, **options)


FIVE: dict[str, Callable[[Path], None]] = {
    each.__name__: each for each in (bert_mean, bert_cls, distilbert, xlm_roberta, mpnet)
}


def roberta(folder: Path, pooling: Any = "mean", **options: Any) -> None:
    """RoBERTa of 48 dimensions, with any pooling and prompts; of 66 positions it has 64 for tokens, and doesn't say."""
    tokenizer = byte_level()
    config = RobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=66, **SIZES, **ROBERTA_IDS)
    layer = pooling if isinstance(pooling, Pooling) else Pooling(48, pooling)
    save(folder, RobertaModel(config), tokenizer, layer, **options)


def save(
    folder: Path,
    model: Any,
    tokenizer: PreTrainedTokenizerFast,
    *following: torch.nn.Module,
    longest: int | None = None,
    **options: Any,
) -> None:
    """Write a transformer and the modules that follow it."""
    parts = folder.with_name(f"{folder.name}-parts")
    model.save_pretrained(parts)
    tokenizer.save_pretrained(parts)
    transformer = Transformer(str(parts), max_seq_length=longest)
    SentenceTransformer(modules=[transformer, *following], device="cpu", **options).save(str(folder))


def wordpiece(*, lower: bool = True) -> PreTrainedTokenizerFast:
    """BERT's tokenizer, with a vocabulary of its own."""
    tokenizer = Tokenizer(kinds.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    _train(tokenizer, trainers.WordPieceTrainer(vocab_size=800, special_tokens=BERT_NAMES, show_progress=False))
    return _finished(tokenizer, BERT_NAMES, first="[CLS]", last="[SEP]", pad="[PAD]", unknown="[UNK]")


def byte_level() -> PreTrainedTokenizerFast:
    """RoBERTa's tokenizer, with a vocabulary of its own."""
    tokenizer = Tokenizer(kinds.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    options: dict[str, Any] = {"special_tokens": ROBERTA_NAMES, "initial_alphabet": alphabet, "show_progress": False}
    _train(tokenizer, trainers.BpeTrainer(vocab_size=800, **options))
    return _finished(tokenizer, ROBERTA_NAMES, first="<s>", last="</s>", pad="<pad>", unknown="<unk>")


def unigram() -> PreTrainedTokenizerFast:
    """The tokenizer of XLM-RoBERTa, with a vocabulary of its own."""
    tokenizer = Tokenizer(kinds.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    options: dict[str, Any] = {"special_tokens": ROBERTA_NAMES, "unk_token": "<unk>", "show_progress": False}
    _train(tokenizer, trainers.UnigramTrainer(vocab_size=600, **options))
    return _finished(tokenizer, ROBERTA_NAMES, first="<s>", last="</s>", pad="<pad>", unknown="<unk>")


def _train(tokenizer: Tokenizer, trainer: Any) -> None:
    tokenizer.train_from_iterator(SENTENCES[:400], trainer)


def _finished(
    tokenizer: Tokenizer, names: list[str], *, first: str, last: str, pad: str, unknown: str
) -> PreTrainedTokenizerFast:
    around = [(name, names.index(name)) for name in (first, last)]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{first} $A {last}", special_tokens=around)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, cls_token=first, sep_token=last, pad_token=pad, unk_token=unknown
    )
