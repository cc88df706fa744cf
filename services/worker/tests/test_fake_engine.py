"""The fake engine keeps the interface's promises."""

import numpy as np

from worker.engines.fake import FakeEngine
from worker.loading import load
from worker.settings import WorkerSettings

ENGINE = FakeEngine()


def test_rows_are_unit_float32() -> None:
    """Each text gives one unit row of 384 float32."""
    rows = ENGINE.embed(ENGINE.encode(["one", "two words"]))
    assert rows.shape == (2, 384)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_equal_texts_give_equal_vectors_in_any_batch() -> None:
    """A vector depends on its own text only."""
    alone, together = (ENGINE.embed(ENGINE.encode(texts)) for texts in (["one"], ["other", "one"]))
    np.testing.assert_array_equal(alone[0], together[1])


def test_other_texts_give_far_vectors() -> None:
    """Different texts are nearly orthogonal, so that a mixed-up answer can't pass for the right one."""
    rows = ENGINE.embed(ENGINE.encode([f"text {number}" for number in range(50)]))
    cosines = rows @ rows.T - np.eye(50)
    assert np.abs(cosines).max() < 0.4


def test_another_model_is_another_space() -> None:
    """With another EMBEDDING_MODEL the same text has a far vector, and the fake model says so: it can be replaced."""
    settings = (WorkerSettings(engine="fake", embedding_model=name) for name in ("all-MiniLM-L6-v2", "other"))
    served, other = map(load, settings)
    [[old], [new]] = (each.engine.embed(each.engine.encode(["one text"])) for each in (served, other))
    assert abs(old @ new) < 0.4
    assert served.fingerprint != other.fingerprint
    assert load(WorkerSettings(engine="fake", embedding_model="other")).fingerprint == other.fingerprint


def test_the_first_vector_never_changes() -> None:
    """The vectors are the same on any machine and in any version."""
    [row] = ENGINE.embed(ENGINE.encode(["hello world"]))
    np.testing.assert_allclose(row[:3], [0.0534076, -0.0145014, 0.0173310], atol=1e-6)


def test_ids_are_cut_and_get_special_tokens() -> None:
    """A text of 300 words is 256 tokens, of which two are special."""
    [ids] = ENGINE.encode(["word " * 300])
    assert len(ids) == ENGINE.max_tokens == 256
    assert ENGINE.from_ids(ids[1:-1]) == ids
