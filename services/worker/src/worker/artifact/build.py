"""Exports a model into an artifact's folder: graphs, tokenizer, manifest."""

import logging
import shutil
import tempfile
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from worker.artifact.engine import engine_of, has_bf16
from worker.artifact.graph import write_int8, write_onnx, write_openvino
from worker.artifact.manifest import MANIFEST, TOKENIZER, EngineName, Manifest, Variant
from worker.artifact.verification import check, reference_texts
from worker.engines.sentence_transformers import SentenceTransformersEngine
from worker.model_files import ModelFolder, sha256, verified

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

log = logging.getLogger("worker.export")

TOOLS = ("torch", "transformers", "sentence-transformers", "tokenizers", "onnx", "onnxruntime", "openvino")
READ_BY_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "sentence_bert_config.json", "config.json")


def build(model: ModelFolder, target: Path, engines: Collection[EngineName], threads: int, *, int8: bool) -> Manifest:
    """Export, compare with the reference, and only then put the folder in its place.

    Raises Fatal for a model whose weights are not the expected ones, RefusedError for a graph that isn't the model.
    """
    source = verified(model)
    log.info("loading the reference, %s", model.name)
    reference = SentenceTransformersEngine(model, threads)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        folder = Path(scratch, "artifact")
        variants = _write(reference.model, folder, engines, int8=int8)
        _copy_tokenizer(model, folder)
        manifest = Manifest(
            model=model.name,
            source=source,
            pooling=_pooling(reference.model),
            max_tokens=reference.max_tokens,
            dimensions=reference.dimensions,
            pad_token=reference.pad_token,
            texts=len(reference_texts()),
            versions={tool: version(tool) for tool in TOOLS},
            variants=variants,
            files={file.relative_to(folder).as_posix(): sha256(file) for file in folder.rglob("*") if file.is_file()},
        )
        manifest = _compared(manifest, folder, reference, threads)
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n")
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)
    return manifest


def _write(
    model: "SentenceTransformer", folder: Path, engines: Collection[EngineName], *, int8: bool
) -> tuple[Variant, ...]:
    folder.mkdir()
    onnx = folder / "model.onnx"
    log.info("exporting the graph for %s", ", ".join(engines))
    write_onnx(model, onnx)
    variants: list[Variant] = []
    if "openvino" in engines:
        write_openvino(onnx, folder / "model.xml")
        from worker.artifact.compiled import write_compiled  # noqa: PLC0415 - who exports for ONNX Runtime needs none

        files = ("model.xml", "model.bin")
        variants += [
            write_compiled(folder, Variant(engine="openvino", precision=precision, files=files, cosine=0))
            for precision in (("bf16", "fp32") if has_bf16() else ("fp32",))
        ]
    if int8:
        write_int8(onnx, folder / "model.int8.onnx")
        variants.append(Variant(engine="onnx", precision="int8", files=("model.int8.onnx",), cosine=0))
    if "onnx" in engines:
        variants.append(Variant(engine="onnx", precision="fp32", files=(onnx.name,), cosine=0))
    else:
        onnx.unlink()
    return tuple(variants)


def _copy_tokenizer(model: ModelFolder, folder: Path) -> None:
    (folder / TOKENIZER).mkdir()
    for name in READ_BY_TOKENIZER:
        if (file := model.modules[0] / name).exists():
            shutil.copyfile(file, folder / TOKENIZER / name)


def _pooling(model: "SentenceTransformer") -> str:
    from sentence_transformers.sentence_transformer.modules import Pooling  # noqa: PLC0415 - it imports torch

    modes = [str(module.pooling_mode) for module in model if isinstance(module, Pooling)]
    return "+".join(modes) or "none"


def _compared(manifest: Manifest, folder: Path, reference: SentenceTransformersEngine, threads: int) -> Manifest:
    inputs = reference.encode(reference_texts())
    expected = np.concatenate([reference.embed([ids]) for ids in inputs])
    compared: list[Variant] = []
    for variant in manifest.variants:
        cosine = check(engine_of(folder, manifest, variant, threads), inputs, expected)
        log.info("%s %s: cosine at least %.7f over %d texts", variant.engine, variant.precision, cosine, len(inputs))
        compared.append(variant.model_copy(update={"cosine": cosine}))
    return manifest.model_copy(update={"variants": tuple(compared)})
