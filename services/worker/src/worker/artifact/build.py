"""Exports a model into an artifact's folder: graphs, tokenizer, manifest."""

import logging
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

import numpy as np

from worker.artifact.engine import engine_of, has_bf16
from worker.artifact.graph import write_int8, write_openvino
from worker.artifact.manifest import MANIFEST, TOKENIZER, EngineName, Manifest, Variant
from worker.artifact.reference import Reference, from_model, installed
from worker.artifact.shipped import shipped
from worker.artifact.verification import check, reference_texts
from worker.engines.text_tokenizer import TextTokenizer
from worker.model_files import ModelFolder, sha256, verified
from worker.warmup import known_vectors

log = logging.getLogger("worker.export")

TOOLS = ("tokenizers", "onnxruntime", "openvino")
READ_BY_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "sentence_bert_config.json", "config.json")


def build(model: ModelFolder, target: Path, engines: Collection[EngineName], threads: int, *, int8: bool) -> Manifest:
    """Export, compare with the reference, and only then move the folder to its place.

    Raises Fatal for a model whose weights are not the expected ones, RefusedError for a graph that isn't the model.
    """
    source = verified(model)
    reference = shipped(model)
    if reference is None:
        log.info("loading the reference, %s", model.name)
        reference = from_model(model, threads)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        folder = Path(scratch, "artifact")
        variants = _write(reference, folder, engines, int8=int8)
        _copy_tokenizer(model, folder)
        facts = reference.facts
        manifest = Manifest(
            model=model.name,
            source=source,
            pooling=facts.pooling,
            max_tokens=facts.max_tokens,
            dimensions=facts.dimensions,
            pad_token=facts.pad_token,
            texts=len(reference_texts()),
            versions=facts.versions | installed(TOOLS),
            variants=variants,
            files={file.relative_to(folder).as_posix(): sha256(file) for file in folder.rglob("*") if file.is_file()},
        )
        manifest = _compared(manifest, folder, reference, threads)
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n")
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)
    return manifest


def _write(reference: Reference, folder: Path, engines: Collection[EngineName], *, int8: bool) -> tuple[Variant, ...]:
    folder.mkdir()
    onnx = folder / "model.onnx"
    log.info("writing the graph for %s", ", ".join(engines))
    reference.write_onnx(onnx)
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


def _compared(manifest: Manifest, folder: Path, reference: Reference, threads: int) -> Manifest:
    inputs = TextTokenizer(folder / TOKENIZER).encode(reference_texts())
    compared: list[Variant] = []
    files = dict(manifest.files)
    for variant in manifest.variants:
        engine = engine_of(folder, manifest, variant, threads)
        cosine = check(engine, inputs, reference.vectors)
        log.info("%s %s: cosine at least %.7f over %d texts", variant.engine, variant.precision, cosine, len(inputs))
        known = f"known.{variant.engine}.{variant.precision}.npy"
        np.save(folder / known, known_vectors(engine))
        files[known] = sha256(folder / known)
        compared.append(variant.model_copy(update={"cosine": cosine, "known": known}))
    return manifest.model_copy(update={"variants": tuple(compared), "files": files})
