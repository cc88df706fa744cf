"""The source of an artifact and its reference: a graph of the model, and its vectors of the reference texts."""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from contract.prompts import NO_PROMPTS, Prompts
from warmstart import Fatal
from warmstart.lifecycle.health import reason
from worker.artifact.graph import write_onnx
from worker.artifact.verification import BATCH, reference_texts
from worker.engines.base import Vectors
from worker.engines.text_tokenizer import TextTokenizer
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
    tokenizer: TextTokenizer
    vectors: Vectors
    write_onnx: Callable[[Path], None]
    prompts: Prompts = NO_PROMPTS


def from_model(model: ModelFolder, threads: int) -> Reference:
    """As sentence-transformers runs the model. Raises Fatal without that library, or when it can't load the model."""
    if importlib.util.find_spec("sentence_transformers") is None:
        raise Fatal(f"{model.name}: the export of another model than the default one needs torch: make install-dev")
    from worker.engines.sentence_transformers import SentenceTransformersEngine  # noqa: PLC0415 - it imports torch

    try:
        engine = SentenceTransformersEngine(model, threads)
        # By the library's own tokenizing, too, so that ours is part of what is compared.
        vectors = engine.model.encode(reference_texts(), batch_size=BATCH, prompt="", normalize_embeddings=True)
    except Exception as error:
        raise Fatal(f"model {model.name}: {model.path} can't be loaded: {reason(error)}") from error
    facts = Facts(_pooling(engine.model), engine.max_tokens, engine.dimensions, engine.pad_token, installed(MADE_WITH))
    return Reference(
        facts, engine.tokenizer, np.asarray(vectors), lambda file: write_onnx(engine.model, file), engine.prompts
    )


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

    modes = [_words(module.pooling_mode) for module in model if isinstance(module, Pooling)]
    return "+".join(modes) or "none"


def _words(mode: str | Sequence[str]) -> str:
    return mode if isinstance(mode, str) else "+".join(mode)
