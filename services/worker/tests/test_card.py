"""The figures of an int8 artifact's card, and the files that people give for it."""

from pathlib import Path

import numpy as np
import pytest

from warmstart import Fatal
from worker.artifact.agreement import recall
from worker.artifact.card import Card, Texts, read_pairs, read_texts
from worker.artifact.int8 import Judges
from worker.artifact.quantize import varied
from worker.artifact.verification import RefusedError
from worker.engines.base import Vectors

TEXTS = [f"text {number}" for number in range(120)]


def rows(count: int) -> Vectors:
    """Unit rows in random directions."""
    found = np.random.default_rng(0).normal(size=(count, 32)).astype(np.float32)
    unit: Vectors = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def card(share: float) -> Card:
    """A card with this recall."""
    texts = Texts(name="mine", texts=120, cosine_mean=0.999, cosine_min=0.99, recall_at_10=share)
    return Card(model="some-int8", engine="OpenVINO int8", cpu=["avx2"], calibration_texts=9, sets=[texts], versions={})


def test_recall_counts_the_nearest_neighbours_that_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them by the same vectors; as many as chance gives by others; block by block as at once."""
    right = rows(300)
    assert recall(right, right) == 1
    found = recall(right[::-1].copy(), right)
    assert found == pytest.approx(10 / 299, abs=0.02)
    monkeypatch.setattr("worker.artifact.agreement.BLOCK", 7)
    assert recall(right[::-1].copy(), right) == found


def test_the_bar_is_recall() -> None:
    """0.97 passes, less is refused with the set's name, and a figure that is no number is, too."""
    card(0.97).require_good()
    with pytest.raises(RefusedError, match=r"some-int8: recall@10 0\.969 \(mine\) is below 0\.97"):
        card(0.969).require_good()
    with pytest.raises(RefusedError):
        card(float("nan")).require_good()


def test_no_text_that_calibrates_judges() -> None:
    """A text that two sets have may calibrate by its place in one: it judges in neither."""
    judges = Judges({"mine": TEXTS, "shifted": TEXTS[5:], "varied": [*varied()[:9], *TEXTS]})
    left = [text for texts in judges.judging.values() for text in texts]
    assert len(left) > 200
    assert not {*judges.calibrating, *varied()}.intersection(left)


@pytest.mark.parametrize("form", ["{}", '"{}"', '{{"id": 7, "text": "{}"}}'])
def test_texts_come_in_lines_or_as_json(tmp_path: Path, form: str) -> None:
    """Each counts once; empty lines don't."""
    file = tmp_path / "texts"
    file.write_text("\n\n".join(form.format(text) for text in [*TEXTS, TEXTS[0]]))
    assert read_texts(file) == TEXTS


def test_too_few_texts_are_refused(tmp_path: Path) -> None:
    """Among few, ten are most of them; a file that isn't there is named."""
    (tmp_path / "texts").write_text("one\n" * 1000)
    with pytest.raises(Fatal, match="1 different texts"):
        read_texts(tmp_path / "texts")
    with pytest.raises(Fatal, match="none can't be read"):
        read_texts(tmp_path / "none")


def test_pairs_come_with_tabs_or_as_json(tmp_path: Path) -> None:
    """A line that is none is named by its number."""
    file = tmp_path / "pairs"
    file.write_text('a\tb\t3.5\n{"sentence1": "c", "sentence2": "d", "score": 0}\ne\tf\t1\n')
    assert read_pairs(file) == [("a", "b", 3.5), ("c", "d", 0.0), ("e", "f", 1.0)]
    file.write_text("a\tb\t3.5\na\tb\n")
    with pytest.raises(Fatal, match="line 2: no pair of texts with a score"):
        read_pairs(file)
