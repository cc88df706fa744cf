"""The reference engine's vectors are SentenceTransformer's."""

from typing import TYPE_CHECKING

import numpy as np

from worker.engines.sentence_transformers import SentenceTransformersEngine

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def test_vectors_match_the_reference(
    engine: SentenceTransformersEngine, reference: "SentenceTransformer", varied_texts: list[str]
) -> None:
    """One padded batch of all lengths equals `encode(normalize_embeddings=True)` to 1e-5."""
    expected = reference.encode(varied_texts, normalize_embeddings=True)
    np.testing.assert_allclose(engine.embed(engine.encode(varied_texts)), expected, atol=1e-5)


def test_a_vector_does_not_depend_on_its_batch(engine: SentenceTransformersEngine, varied_texts: list[str]) -> None:
    """Padding beside longer texts changes a row by less than 1e-5."""
    inputs = engine.encode(varied_texts)
    together = engine.embed(inputs)
    alone = np.concatenate([engine.embed([ids]) for ids in inputs])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_rows_are_unit_float32(engine: SentenceTransformersEngine) -> None:
    """Rows are contiguous float32 of length 1."""
    rows = engine.embed(engine.encode(["a", "some longer text"]))
    assert rows.dtype == np.float32
    assert rows.flags.c_contiguous
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_torch_gets_the_threads_it_was_given(engine: SentenceTransformersEngine) -> None:
    """The thread count is the setting's, not the host's, and passes don't run beside each other."""
    import torch

    assert engine.dimensions == 384
    assert (torch.get_num_threads(), torch.get_num_interop_threads()) == (2, 1)
