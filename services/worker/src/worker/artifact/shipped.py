"""Graph, facts and reference vectors of a known model, in the repository: an artifact is made from them without torch.

The graph has no weights: each is a tensor of `model.safetensors`, as it is or transposed, and is filled in from there.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from worker.artifact.reference import Facts, Reference
from worker.engines.text_tokenizer import TextTokenizer
from worker.model_files import PINNED, ModelFolder

Weights: TypeAlias = Mapping[str, NDArray[Any]]

HOME = Path(__file__).with_name("models")
GRAPH, FACTS, VECTORS = "graph.onnx.gz", "facts.json", "vectors.npy"
TRANSPOSED = " transposed"  # after the name of the tensor


def shipped(model: ModelFolder) -> Reference | None:
    """What is shipped for a model; None for a model that isn't pinned, or that nothing is shipped for."""
    folder = HOME / model.name
    if model.weights_sha256 is None or not folder.is_dir():
        return None
    facts = Facts(**json.loads((folder / FACTS).read_bytes()))
    rounded = np.load(folder / VECTORS).astype(np.float32)
    vectors = rounded / np.linalg.norm(rounded, axis=1, keepdims=True)
    transformer = model.modules[0]
    tokenizer = TextTokenizer.read(transformer)
    return Reference(facts, tokenizer, vectors, lambda file: _write_filled(folder / GRAPH, transformer / PINNED, file))


def ship(model: ModelFolder, reference: Reference, scratch: Path) -> Path:
    """Write the files for `shipped`; returns the folder. Raises KeyError for a weight that is no tensor of the file."""
    import onnx  # noqa: PLC0415 - who serves needs none
    from safetensors.numpy import load_file  # noqa: PLC0415

    folder = HOME / model.name
    folder.mkdir(parents=True, exist_ok=True)
    reference.write_onnx(scratch)
    graph = emptied(onnx.load(scratch), load_file(model.modules[0] / PINNED))
    (folder / GRAPH).write_bytes(gzip.compress(graph.SerializeToString(deterministic=True), mtime=0))
    (folder / FACTS).write_text(json.dumps(asdict(reference.facts), indent=1) + "\n")
    np.save(folder / VECTORS, reference.vectors.astype(np.float16))  # cosines change by less than 1e-6
    return folder


def emptied(graph: Any, weights: Weights) -> Any:
    """The same ONNX graph, each weight replaced by the name of its tensor. Raises KeyError for one that is none."""
    names = {_key(np.ascontiguousarray(tensor.T)): name + TRANSPOSED for name, tensor in weights.items()}
    names |= {_key(tensor): name for name, tensor in weights.items()}
    for weight in graph.graph.initializer:
        name = names[(tuple(weight.dims), weight.raw_data)]
        weight.ClearField("raw_data")
        weight.doc_string = name
    return graph


def _key(tensor: NDArray[Any]) -> tuple[tuple[int, ...], bytes]:
    return tensor.shape, tensor.tobytes()


def filled(graph: Any, weights: Weights) -> Any:
    """The same ONNX graph with the weights that it names."""
    for weight in graph.graph.initializer:
        name = weight.doc_string
        tensor = weights[name.removesuffix(TRANSPOSED)]
        weight.raw_data = (np.ascontiguousarray(tensor.T) if name.endswith(TRANSPOSED) else tensor).tobytes()
        weight.ClearField("doc_string")
    return graph


def _write_filled(graph: Path, weights: Path, file: Path) -> None:
    import onnx  # noqa: PLC0415 - who serves needs none
    from safetensors.numpy import load_file  # noqa: PLC0415

    onnx.save(filled(onnx.load_from_string(gzip.decompress(graph.read_bytes())), load_file(weights)), file)
