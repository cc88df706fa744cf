"""What the repository ships of the default model is what an export of it gives, and needs no torch."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from warmstart import Fatal
from worker.artifact import shipped as module
from worker.artifact.reference import from_model
from worker.artifact.shipped import FACTS, GRAPH, HOME, VECTORS, emptied, filled, ship, shipped
from worker.model_files import ModelFolder


def test_it_is_what_an_export_gives(folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make graph` changes nothing: the graph is the same, and so are the vectors up to their rounding."""
    monkeypatch.setattr(module, "HOME", tmp_path)
    made = ship(folder, from_model(folder, threads=2), tmp_path / "model.onnx")
    committed = HOME / folder.name
    assert (made / GRAPH).read_bytes() == (committed / GRAPH).read_bytes()
    again, before = (np.load(each / VECTORS).astype(np.float64) for each in (made, committed))
    lengths = np.linalg.norm(again, axis=1) * np.linalg.norm(before, axis=1)
    assert ((again * before).sum(axis=1) / lengths).min() > 0.999999
    assert (made / FACTS).read_text().split("versions")[0] == (committed / FACTS).read_text().split("versions")[0]


def test_an_artifact_needs_no_torch(artifacts: Path) -> None:
    """`artifacts` was exported where torch, transformers and sentence-transformers can't be imported; it is whole."""
    assert (artifacts / "all-MiniLM-L6-v2" / "model.onnx").stat().st_size > 80e6


def test_the_export_of_another_model_asks_for_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sentence-transformers is not installed, the error says which command installs it."""
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(Fatal, match=r"another: .* make install-dev"):
        from_model(ModelFolder("another", tmp_path), threads=1)


def test_nothing_is_shipped_for_another_model(folder: ModelFolder) -> None:
    """A folder of a shipped model's name, but with weights that nobody pinned, is exported with its own library."""
    assert shipped(ModelFolder(folder.name, folder.path)) is None
    assert shipped(ModelFolder("another", folder.path, folder.weights_sha256)) is None


def graph(*weights: np.ndarray) -> Any:
    tensors = [onnx.numpy_helper.from_array(each, f"weight{place}") for place, each in enumerate(weights)]
    output = onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, None)
    nodes = [onnx.helper.make_node("Identity", ["weight0"], ["out"])]
    return onnx.helper.make_model(onnx.helper.make_graph(nodes, "graph", [], [output], tensors))


def test_weights_are_named_and_filled_in() -> None:
    """A graph without its weights is small, and the same again once they are filled in, transposed ones too."""
    first = np.arange(60_000, dtype=np.float32).reshape(200, 300)
    second = np.ones(7, dtype=np.float32)
    whole = graph(np.ascontiguousarray(first.T), second)
    before = whole.SerializeToString(deterministic=True)
    empty = emptied(whole, {"first": first, "second": second})
    assert len(empty.SerializeToString()) < 1000 < len(before)
    assert filled(empty, {"first": first, "second": second}).SerializeToString(deterministic=True) == before


def test_a_weight_of_unknown_origin_is_refused() -> None:
    """A graph with a weight that is no tensor of the model's file can't be shipped."""
    with pytest.raises(KeyError):
        emptied(graph(np.ones(7, dtype=np.float32)), {"other": np.zeros(7, dtype=np.float32)})
