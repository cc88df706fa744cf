"""The texts that are sent."""

from itertools import islice

from loadtest.bench.texts import BLOCK, batches, block, long_text, sentences, text


def test_texts_are_distinct() -> None:
    """A hundred thousand numbers give a hundred thousand texts, none of them a sentence of the file."""
    texts = {text(number) for number in range(100_000)}
    assert len(texts) == 100_000
    assert not texts & set(sentences())


def test_texts_have_the_length_of_sentences() -> None:
    """Halves of two sentences are as long as one: the means differ by less than 2 %."""
    made = [text(number) for number in range(2 * len(sentences()))]
    means = [sum(map(len, texts)) / len(texts) for texts in (made, sentences())]
    assert abs(means[0] / means[1] - 1) < 0.02


def test_blocks_share_no_text() -> None:
    """A case never sends what another case of the run has sent: neighbouring blocks are disjoint."""
    first, second = (set(islice(block(number), BLOCK)) for number in (0, 1))
    assert len(first) == len(second) == BLOCK
    assert not first & second


def test_a_small_block_repeats() -> None:
    """Texts that shall come from a cache are the same ones again and again."""
    turns = list(islice(batches(block(3, 64), 32), 4))
    assert turns[:2] == turns[2:]
    assert turns[0] != turns[1]


def test_a_long_text_is_cut_by_the_model() -> None:
    """It has far more words than the model's maximum of 256 tokens."""
    assert len(long_text(0).split()) > 256
