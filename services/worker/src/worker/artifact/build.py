"""Exports a model into an artifact's folder: graphs, tokenizer, manifest."""

import logging
from collections.abc import Collection
from pathlib import Path

import numpy as np

from worker.artifact.engine import engine_of, has_bf16
from worker.artifact.graph import write_openvino
from worker.artifact.loading import load_onnx
from worker.artifact.manifest import MANIFEST, TOKENIZER, EngineName, Manifest, Variant
from worker.artifact.placing import placed
from worker.artifact.reference import Reference, from_model, installed
from worker.artifact.shipped import shipped
from worker.artifact.verification import RefusedError, check, reference_texts
from worker.engines.text_tokenizer import TextTokenizer
from worker.model_files import ModelFolder, sha256, verified
from worker.warmup import known_vectors

log = logging.getLogger("worker.export")

TOOLS = ("tokenizers", "onnxruntime", "openvino")


def build(model: ModelFolder, target: Path, engines: Collection[EngineName], threads: int) -> Manifest:
    """Export, compare with the reference, and only then move the folder to its place.

    Raises Fatal for a model whose weights are not the expected ones, RefusedError for a graph that isn't the model.
    """
    load_onnx()
    source = verified(model)
    reference = shipped(model)
    if reference is None:
        log.info("loading the reference, %s", model.name)
        reference = from_model(model, threads)
    with placed(target) as folder:
        variants = _write(reference, folder, engines)
        reference.tokenizer.save(folder / TOKENIZER)
        manifest = manifest_of(model, source, reference, variants, folder)
        manifest = _compared(manifest, folder, reference, threads)
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n")
    return manifest


def manifest_of(
    model: ModelFolder, source: dict[str, str], reference: Reference, variants: tuple[Variant, ...], folder: Path
) -> Manifest:
    """The manifest of a folder with all its files but that of the manifest."""
    facts = reference.facts
    return Manifest(
        model=model.name,
        revision=model.revision,
        origin=model.origin,
        source=source,
        pooling=facts.pooling,
        max_tokens=facts.max_tokens,
        dimensions=facts.dimensions,
        pad_token=facts.pad_token,
        prompts=reference.prompts,
        texts=len(reference_texts()),
        versions=facts.versions | installed(TOOLS),
        variants=variants,
        bf16=has_bf16(),
        files={file.relative_to(folder).as_posix(): sha256(file) for file in folder.rglob("*") if file.is_file()},
    )


def _write(reference: Reference, folder: Path, engines: Collection[EngineName]) -> tuple[Variant, ...]:
    folder.mkdir()
    onnx = folder / "model.onnx"
    log.info("writing the graph for %s", ", ".join(engines))
    reference.write_onnx(onnx)
    # Weights of more than 2 GB are files of their own.
    graph = (onnx.name, *sorted(file.name for file in folder.iterdir() if file != onnx))
    variants: list[Variant] = []
    if "openvino" in engines:
        write_openvino(onnx, folder / "model.xml")
        from worker.artifact.compiled import write_compiled  # noqa: PLC0415 - who exports for ONNX Runtime needs none

        if not has_bf16():
            log.warning(
                "without bf16, which this CPU lacks: a CPU with it is faster with an artifact made on such a one"
            )
        files = ("model.xml", "model.bin")
        variants += [
            write_compiled(folder, Variant(engine="openvino", precision=precision, files=files, cosine=0))
            for precision in (("bf16", "fp32") if has_bf16() else ("fp32",))
        ]
    if "onnx" in engines:
        variants.append(Variant(engine="onnx", precision="fp32", files=graph, cosine=0))
    else:
        for name in graph:
            (folder / name).unlink()
    return tuple(variants)


def _compared(manifest: Manifest, folder: Path, reference: Reference, threads: int) -> Manifest:
    """The manifest with the variants whose vectors are the reference's. Raises RefusedError when there is none."""
    inputs = TextTokenizer.read(folder / TOKENIZER).encode(reference_texts())
    compared: list[Variant] = []
    refused: dict[Variant, RefusedError] = {}
    files = dict(manifest.files)
    for variant in manifest.variants:
        engine = engine_of(folder, manifest, variant, threads)
        try:
            cosine = check(engine, inputs, reference.vectors)
        except RefusedError as error:
            log.warning("left out: %s", error)
            refused[variant] = error
            continue
        log.info("%s %s: cosine at least %.7f over %d texts", variant.engine, variant.precision, cosine, len(inputs))
        known = f"known.{variant.engine}.{variant.precision}.npy"
        np.save(folder / known, known_vectors(engine))
        files[known] = sha256(folder / known)
        compared.append(variant.model_copy(update={"cosine": cosine, "known": known}))
    if not compared:
        raise next(iter(refused.values()))
    needed = {file for variant in compared for file in variant.all_files}
    for file in {file for variant in refused for file in variant.all_files} - needed:
        (folder / file).unlink()
        del files[file]
    left_out = {variant.engine for variant in refused} - {variant.engine for variant in compared}
    found = {"variants": tuple(compared), "left_out": tuple(left_out), "files": files}
    return manifest.model_copy(update=found)
