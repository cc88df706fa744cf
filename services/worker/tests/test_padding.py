"""Rows of different lengths become one rectangle, of a length that the engine has compiled for."""

from worker.engines.openvino import lengths
from worker.engines.padding import next_of, pad


def test_ids_are_padded_on_the_right() -> None:
    """With the fill, masked out, to the longest row."""
    ids, mask = pad([[5, 6, 7], [8]], fill=0)
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_rows_are_padded_to_a_length_of_the_engine() -> None:
    """The next of its lengths; beyond the last, or without any, to the longest row."""
    assert pad([[1] * 5], 0, [4, 8])[0].shape == (1, 8)
    assert [next_of([4, 8], tokens) for tokens in (1, 4, 5, 8, 9)] == [4, 4, 8, 8, 9]
    assert next_of([], 3) == 3


def test_rows_that_fill_up_a_batch_are_no_empty_ones() -> None:
    """They attend to one token of the fill: attention over nothing is no number."""
    ids, mask = pad([[5, 6], [7]], 0, (), [1, 4])
    assert ids.tolist() == [[5, 6], [7, 0], [0, 0], [0, 0]]
    assert mask.tolist() == [[1, 1], [1, 0], [1, 0], [1, 0]]


def test_openvino_has_few_lengths_up_to_the_models_longest() -> None:
    """Ascending, each once, the longest text included."""
    assert lengths(256) == [8, 16, 24, 32, 40, 48, 56, 64, 96, 128, 160, 192, 224, 256]
    assert lengths(40) == [8, 16, 24, 32, 40]
    assert lengths(100)[-2:] == [96, 100]
    assert lengths(514)[-6:] == [256, 320, 384, 448, 512, 514]
    assert len(lengths(8192)) == 34
