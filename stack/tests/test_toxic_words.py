"""Toxics as words of the command line, and as text of a file."""

from pathlib import Path

import pytest

from stack import EmbeddedStack, free_ports
from stack.toxic.toxics import ATTRIBUTES, BadToxic, Toxic, dumps, loads


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lag=3"], "'lag' is no toxic; there are latency"),
        (["latency"], "latency needs latency"),
        (["latency=soon"], "latency: latency is a number from 0, not 'soon'"),
        (["latency=1", "rate=2"], "latency has no rate"),
        (["latency=1", "kind=x"], "latency has no kind"),
        (["bandwidth", "rate=-1"], "bandwidth: rate is a number from 0, not '-1'"),
        (["latency=nan"], "latency: latency is a number from 0, not 'nan'"),
        (["timeout", "stream=left"], "stream is upstream, downstream or both"),
        (["down", "toxicity=2"], "down: toxicity is a share"),
        (["down", "stream=upstream"], "down is of the whole connection: it takes no stream"),
        (["half_open", "stream=downstream"], "half_open is of the whole connection: it takes no stream"),
        (["reset_peer", "stream=downstream"], "reset_peer is of the whole connection: it takes no stream"),
        (["bandwidth", "rate=0"], "bandwidth: rate is a number above 0; nothing passes with timeout"),
    ],
)
def test_bad_words_are_named(words: list[str], message: str) -> None:
    """A toxic that can't be is refused with a sentence that names the word."""
    with pytest.raises(BadToxic, match=message):
        Toxic.parse(words)


def test_toxics_as_words() -> None:
    """A toxic is shown in the words that make it."""
    words = ["latency latency=300 jitter=50 stream=downstream", "limit_data bytes=1234567 toxicity=0.5", "timeout"]
    assert [str(each) for each in Toxic.parse(" ".join(words).split())] == words


@pytest.mark.parametrize("kind", list(ATTRIBUTES))
def test_a_toxic_is_what_its_words_say(kind: str) -> None:
    """A toxic of any kind, with every attribute it has, is read from the words that show it."""
    toxic = Toxic(kind, {name: float(number) for number, name in enumerate(ATTRIBUTES[kind], 3)}, toxicity=0.5)
    assert Toxic.parse(str(toxic).split()) == (toxic,)


def test_toxics_as_text() -> None:
    """What a file says of toxics is what was written to it."""
    toxics = Toxic.parse(["latency=300", "jitter=50", "stream=downstream", "slicer", "average_size=3", "down"])
    assert loads(dumps(toxics)) == toxics


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("latency=300 latency=100 stream=upstream", "latency=300 stream=downstream latency=100 stream=upstream"),
        ("latency=300 stream=upstream latency=100", "latency=100"),
        ("latency=300 latency=900", "latency=900"),
        ("latency=300 bandwidth rate=1 latency=900", "bandwidth rate=1 latency=900"),
    ],
)
def test_of_a_kind_the_last_counts(tmp_path: Path, words: str, left: str) -> None:
    """Of two toxics of a kind the later takes the place of the first, on its own streams only."""
    stack = EmbeddedStack(tmp_path, free_ports())
    stack.spoil("worker", Toxic.parse(words.split()))
    assert stack.toxics("worker") == Toxic.parse(left.split())
