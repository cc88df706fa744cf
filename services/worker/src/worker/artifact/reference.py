"""The source of an artifact and its reference: a graph of the model, and its vectors of the reference texts."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from warmstart import Fatal
from worker.artifact.graph import write_onnx
from worker.artifact.verification import reference_texts
from worker.engines.base import Vectors
from worker.model_files import ModelFolder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MADE_WITH = ("torch", "transformers", "sentence-transformers", "onnx")


@dataclass(frozen=True)
class Facts:
    """What an engine needs to know of a model besides its graph; `versions` are those that made graph and vectors."""

    pooling: str
    max_tokens: int
    dimensions: int
    pad_token: int
    versions: dict[str, str]


@dataclass(frozen=True)
class Reference:
    """`vectors` are unit rows, float32 (texts, dimensions); `write_onnx(file)` writes the graph with its weights."""

    facts: Facts
    vectors: Vectors
    write_onnx: Callable[[Path], None]


def from_model(model: ModelFolder, threads: int) -> Reference:
    """As sentence-transformers runs the model. Raises Fatal without that, or what it raises for a wrong folder."""
    if importlib.util.find_spec("sentence_transformers") is None:
        raise Fatal(f"{model.name}: the export of another model than the default one needs torch: make install-dev")
    from worker.engines.sentence_transformers import SentenceTransformersEngine  # noqa: PLC0415 - it imports torch

    engine = SentenceTransformersEngine(model, threads)
    inputs = engine.encode(reference_texts())
    facts = Facts(_pooling(engine.model), engine.max_tokens, engine.dimensions, engine.pad_token, installed(MADE_WITH))
    vectors = np.concatenate([engine.embed([ids]) for ids in inputs])
    return Reference(facts, vectors, lambda file: write_onnx(engine.model, file))


def installed(packages: tuple[str, ...]) -> dict[str, str]:
    """The versions of the packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _pooling(model: "SentenceTransformer") -> str:
    from sentence_transformers.sentence_transformer.modules import Pooling  # noqa: PLC0415 - it imports torch

    modes = [str(module.pooling_mode) for module in model if isinstance(module, Pooling)]
    return "+".join(modes) or "none"
