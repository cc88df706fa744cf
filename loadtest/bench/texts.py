"""Distinct English texts of natural length.

A text is the first half of one sentence of tests/data/sentences.txt (The World Factbook) and the second half of
another: no template, lengths and words spread as in the sentences, and 5.7 million different ones for no cache to know.
"""

from collections.abc import Iterator
from functools import cache
from itertools import cycle, islice

from stack.site import REPOSITORY

SENTENCES = REPOSITORY / "tests" / "data" / "sentences.txt"
BLOCK = 40_000  # texts of one case; a system that serves 5,000 a second sees no text twice within 8 s


@cache
def sentences() -> tuple[str, ...]:
    """The 2,400 sentences."""
    return tuple(SENTENCES.read_text().splitlines())


@cache
def _halves() -> tuple[tuple[str, str], ...]:
    return tuple(map(_halve, sentences()))


def _halve(sentence: str) -> tuple[str, str]:
    """Both parts of a sentence, cut at the space nearest to its middle."""
    middle = len(sentence) / 2
    spaces = [place for place, character in enumerate(sentence) if character == " "]
    cut = min(spaces, key=lambda place: abs(place - middle))
    return sentence[:cut], sentence[cut:]


def text(number: int) -> str:
    """The same text for the same number; different ones for all numbers up to 2,400 x 2,399."""
    halves = _halves()
    count = len(halves)
    first = number % count
    shift = 1 + number // count % (count - 1)
    return halves[first][0] + halves[(first + shift) % count][1]


@cache
def _firsts() -> dict[str, int]:
    return {first: place for place, (first, _) in enumerate(_halves())}


def subject(written: str) -> int:
    """The sentence whose first half a text begins with: texts `number` and `number` + 2,400 are about the same."""
    cuts = (place for place, character in enumerate(written) if character == " ")
    return next((_firsts()[written[:cut]] for cut in cuts if written[:cut] in _firsts()), 0)


def block(number: int, size: int = BLOCK) -> Iterator[str]:
    """The texts of one case, repeated after `size`; no two blocks of one run share a text."""
    return cycle(map(text, range(number * BLOCK, number * BLOCK + size)))


def batches(texts: Iterator[str], size: int) -> Iterator[list[str]]:
    """`size` texts at a time, for ever."""
    while True:
        yield list(islice(texts, size))


def long_text(number: int) -> str:
    """One text that every model of 512 tokens or fewer cuts: 24 texts in a row."""
    return " ".join(map(text, range(number, number + 24)))
