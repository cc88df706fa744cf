"""Makes the int8 artifact of a model: a model of its own, named after it, with a quality card."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from warmstart import Fatal
from worker.artifact.build import TOOLS, manifest_of
from worker.artifact.card import CARD, FEWEST, Card, compare, judge, read_pairs, read_texts
from worker.artifact.compiled import of_the_rest, write_compiled
from worker.artifact.engine import engine_of, instructions
from worker.artifact.graph import write_openvino
from worker.artifact.loading import load_onnx
from worker.artifact.manifest import MANIFEST, TOKENIZER, Manifest, Variant
from worker.artifact.placing import placed
from worker.artifact.quantize import FILES, calibration, varied, write_int8
from worker.artifact.reference import Reference, from_model, installed
from worker.artifact.shipped import shipped
from worker.artifact.verification import check, reference_texts
from worker.engines.base import Engine
from worker.model_files import INT8, ModelFolder, sha256, verified
from worker.warmup import known_vectors

log = logging.getLogger("worker.export")

EXACT = Variant(engine="openvino", precision="fp32", files=("model.xml", "model.bin"), cosine=0)
QUANTIZED = Variant(engine="openvino", precision="int8", files=FILES, cosine=0)
# The repository's; where the package is installed alone there are none.
SENTENCES = Path(__file__).resolve().parents[5] / "tests" / "data" / "sentences.txt"
EVERY = 12  # of so many texts one calibrates, and the others judge


@dataclass(frozen=True)
class Judges:
    """What the card is made with: the project's sentences, and a user's own texts and labelled pairs."""

    texts: dict[str, list[str]]
    pairs: tuple[str, list[tuple[str, str, float]]] | None = None

    @classmethod
    def of(cls, own: Path | None, labelled: Path | None) -> "Judges":
        """Read the files. Raises Fatal for one that can't be used."""
        files = {"the project's sentences": SENTENCES} if SENTENCES.exists() else {}
        files |= {own.name: own} if own else {}
        if not files:
            raise Fatal(f"nothing to judge int8 with: name a file of at least {FEWEST} texts of yours, --texts FILE")
        texts = {name: read_texts(file) for name, file in files.items()}
        return cls(texts, (labelled.name, read_pairs(labelled)) if labelled else None)

    @property
    def calibrating(self) -> list[str]:
        """Every twelfth text."""
        return [text for texts in self.texts.values() for text in texts[::EVERY]]

    @property
    def judging(self) -> dict[str, list[str]]:
        """The others: no text that calibrates, in whichever set, judges in any."""
        used = {*self.calibrating, *varied()}
        return {name: [text for text in texts if text not in used] for name, texts in self.texts.items()}


def build_int8(model: ModelFolder, target: Path, threads: int, judges: Judges) -> Card:
    """Quantize, compare with fp32, and only then move the folder to its place. Returns the card.

    Raises Fatal without nncf, or for a model that can't be read; RefusedError below the card's bar.
    """
    load_onnx()
    source = verified(model)
    reference = shipped(model) or from_model(model, threads)
    with placed(target) as folder:
        manifest, card = _written(model, source, reference, folder, judges, threads=threads)
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n")
        card.require_good()
    return card


def _written(
    model: ModelFolder, source: dict[str, str], reference: Reference, folder: Path, judges: Judges, *, threads: int
) -> tuple[Manifest, Card]:
    """The folder with everything but the manifest's file; `source` has the hashes of the model's.

    Raises RefusedError when a text's vector is too far off.
    """
    folder.mkdir()
    reference.tokenizer.save(folder / TOKENIZER)
    onnx = folder / "model.onnx"
    reference.write_onnx(onnx)
    write_openvino(onnx, folder / EXACT.files[0])
    inputs = calibration(
        reference.tokenizer, judges.calibrating, [text for text in reference.prompts.texts.values() if text]
    )
    log.info("quantizing, with %d texts: about a minute", len(inputs))
    write_int8(onnx, folder, inputs, reference.facts.pad_token)
    quantized = write_compiled(folder, QUANTIZED)
    for each in folder.glob("model.onnx*"):
        each.unlink()
    manifest = manifest_of(model, source, reference, (EXACT, quantized), folder)
    exact, engine = (engine_of(folder, manifest, each, threads) for each in manifest.variants)
    cosine = check(engine, reference.tokenizer.encode(reference_texts()), reference.vectors)
    card = _card(model.name + INT8, len(inputs), judges, exact, engine)
    known = "known.openvino.int8.npy"
    np.save(folder / known, known_vectors(engine))
    (folder / CARD).write_text(card.model_dump_json(indent=1) + "\n")
    for file in EXACT.files:
        (folder / file).unlink()
    return _of_int8(manifest, folder, quantized.model_copy(update={"cosine": cosine, "known": known})), card


def _card(name: str, calibrated: int, judges: Judges, exact: Engine, quantized: Engine) -> Card:
    log.info("comparing with fp32")
    card = Card(
        model=name,
        engine=f"OpenVINO int8, the rest {of_the_rest('int8')}",
        cpu=instructions(),
        calibration_texts=calibrated,
        sets=[compare(name, texts, exact, quantized) for name, texts in judges.judging.items()],
        labelled=judge(*judges.pairs, exact, quantized) if judges.pairs else None,
        versions=installed((*TOOLS, "nncf")),
    )
    log.info("%s", card.table())
    return card


def _of_int8(manifest: Manifest, folder: Path, variant: Variant) -> Manifest:
    """The manifest of the folder as it is. Weights and ranges are a part of what the vectors' space is named by.

    The other file of the graph comes with other names each time.
    """
    files = {file.relative_to(folder).as_posix(): sha256(file) for file in folder.rglob("*") if file.is_file()}
    return manifest.model_copy(
        update={
            "model": manifest.model + INT8,
            "source": manifest.source | {f"int8/{FILES[1]}": files[FILES[1]]},
            "variants": (variant,),
            "left_out": ("onnx",),
            "files": files,
        }
    )
