"""Tokenizing without transformers gives what SentenceTransformer's own tokenizer gives."""

from typing import TYPE_CHECKING

import pytest

from worker.engines.sentence_transformers import SentenceTransformersEngine
from worker.engines.text_tokenizer import TextTokenizer
from worker.model_files import ModelFolder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@pytest.fixture(scope="module")
def tokenizer(folder: ModelFolder) -> TextTokenizer:
    """The default model's."""
    return TextTokenizer.read(folder.path)


def test_ids_equal_those_of_sentence_transformer(
    tokenizer: TextTokenizer, reference: "SentenceTransformer", varied_texts: list[str]
) -> None:
    """Each of the varied texts gets exactly the ids that the reference library gives it."""
    expected = [reference.preprocess([text])["input_ids"][0].tolist() for text in varied_texts]
    assert tokenizer.encode(varied_texts) == expected


def test_texts_are_cut_at_the_models_own_length(tokenizer: TextTokenizer) -> None:
    """256 tokens, not the 128 that tokenizer.json says, and short texts are not padded."""
    short, long = tokenizer.encode(["hi", "word " * 1000])
    assert (len(short), len(long), tokenizer.max_tokens) == (3, 256, 256)


def test_token_ids_become_what_their_text_would_have(
    tokenizer: TextTokenizer, reference: "SentenceTransformer", varied_texts: list[str]
) -> None:
    """Ids from the model's tokenizer, without special tokens and uncut, become the ids of their text."""
    bare = [reference.tokenizer(text, add_special_tokens=False)["input_ids"] for text in varied_texts]
    assert [tokenizer.from_ids(ids) for ids in bare] == tokenizer.encode(varied_texts)


def test_the_engine_uses_it(engine: SentenceTransformersEngine, varied_texts: list[str]) -> None:
    """The reference engine tokenizes the same way and names the model's limits."""
    assert engine.encode(varied_texts) == engine.tokenizer.encode(varied_texts)
    assert (engine.max_tokens, engine.vocabulary_size, engine.dimensions) == (256, 30_522, 384)
