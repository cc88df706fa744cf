"""An artifact is the model, says what it was made of, and is refused when it is not what it says."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import openvino
import pytest

from warmstart import Fatal
from worker import export
from worker.artifact.compiled import load_graph, machine
from worker.artifact.engine import engine_of, has_bf16
from worker.artifact.manifest import BARS, MANIFEST, Manifest, Variant
from worker.artifact.verification import RefusedError, check, reference_texts
from worker.engines.fake import FakeEngine
from worker.engines.sentence_transformers import SentenceTransformersEngine
from worker.loading import begin, load
from worker.model_files import KNOWN, sha256
from worker.settings import WorkerSettings
from worker.warmup import few

MODEL = "all-MiniLM-L6-v2"


@pytest.fixture
def copy(artifacts: Path, tmp_path: Path) -> Path:
    """Artifacts that a test may spoil."""
    return Path(shutil.copytree(artifacts, tmp_path / "artifacts"))


@pytest.fixture
def manifest(artifacts: Path) -> Manifest:
    """What the export wrote."""
    found = Manifest.read(artifacts / MODEL)
    assert found
    return found


def variant_of(kind: str, manifest: Manifest) -> Variant:
    """The variant of that engine and precision; skips the test where the CPU can't compute it."""
    if kind == "openvino bf16" and not has_bf16():
        pytest.skip("this CPU has no bf16")
    return {f"{each.engine} {each.precision}": each for each in manifest.variants}[kind]


def rewrite(copy: Path, **changes: object) -> None:
    """Change fields of a manifest."""
    file = copy / MODEL / MANIFEST
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_the_manifest_says_what_was_exported(manifest: Manifest) -> None:
    """Weights, pooling, limits and tools; every variant reached its bar on at least 200 texts."""
    assert manifest.source["model.safetensors"] == KNOWN[MODEL].weights_sha256
    assert (manifest.model, manifest.pooling, manifest.max_tokens, manifest.dimensions) == (MODEL, "mean", 256, 384)
    assert {"torch", "onnxruntime", "openvino"} < set(manifest.versions)
    assert manifest.texts == len(set(reference_texts())) >= 200
    assert {(each.engine, each.precision) for each in manifest.variants} >= {("onnx", "fp32"), ("openvino", "fp32")}
    assert all(each.cosine >= BARS[each.precision] for each in manifest.variants)


@pytest.mark.parametrize("kind", ["openvino bf16", "openvino fp32", "onnx fp32"])
def test_its_vectors_are_the_models(
    kind: str, artifacts: Path, manifest: Manifest, engine: SentenceTransformersEngine, varied_texts: list[str]
) -> None:
    """On texts that the export did not see, in one padded batch, each variant is as near as its bar demands."""
    variant = variant_of(kind, manifest)
    exported = engine_of(artifacts / MODEL, manifest, variant, threads=2)
    inputs = exported.encode(varied_texts)
    assert inputs == engine.encode(varied_texts)
    rows, expected = exported.embed(inputs), engine.embed(inputs)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)
    assert (rows * expected).sum(axis=1).min() >= BARS[variant.precision]
    exported.embed(inputs[:1])
    assert (rows * expected).sum(axis=1).min() >= BARS[variant.precision]  # a later pass leaves these rows alone


def test_a_compiled_graph_is_read_only_on_its_own_kind_of_machine(
    artifacts: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch, varied_texts: list[str]
) -> None:
    """Where the export ran nothing is compiled; elsewhere the graph is, and gives the same vectors."""
    variant = next(each for each in manifest.variants if (each.engine, each.precision) == ("openvino", "fp32"))
    compiled: list[str] = []
    compile_model = openvino.Core.compile_model

    def compile_and_note(core: openvino.Core, graph: str, *options: object) -> object:
        compiled.append(graph)
        return compile_model(core, graph, *options)

    monkeypatch.setattr(openvino.Core, "compile_model", compile_and_note)
    here = engine_of(artifacts / MODEL, manifest, variant, threads=2)
    assert compiled == []
    monkeypatch.setattr("worker.artifact.compiled.machine", lambda: "another")
    elsewhere = engine_of(artifacts / MODEL, manifest, variant, threads=2)
    assert compiled == [str(artifacts / MODEL / "model.xml")]
    inputs = here.encode(varied_texts)
    np.testing.assert_array_equal(here.embed(inputs), elsewhere.embed(inputs))


@pytest.mark.parametrize("kind", ["read", "compiled here"])
def test_no_process_binds_its_threads_to_cpus(
    artifacts: Path, manifest: Manifest, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenVINO would bind those of every process on a machine to the same first ones."""
    if kind == "compiled here":
        monkeypatch.setattr("worker.artifact.compiled.machine", lambda: "another")
    for variant in (each for each in manifest.variants if each.engine == "openvino"):
        graph = load_graph(artifacts / MODEL, variant, threads=1)
        assert graph.get_property("ENABLE_CPU_PINNING") is False


def test_a_machine_is_its_instruction_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its clock nor the number of its cores; an emulated one is not the CPU that it is told of."""
    told = ["model name : A", "flags : avx2 fma", "cpu MHz : 1", ""]
    files = [tmp_path / name for name in ("one", "two", "more", "nothing")]
    files[0].write_text("\n".join(told))
    files[1].write_text("\n".join([*told, *told]).replace("MHz : 1", "MHz : 2"))
    files[2].write_text("\n".join(told).replace("fma", "fma avx512f"))
    files[3].write_text("")
    one, two, more, nothing = (machine(file) for file in files)
    assert one == two != more
    assert nothing == machine(tmp_path / "missing") == ""
    monkeypatch.setattr("os.uname", lambda: SimpleNamespace(machine="another"))
    assert machine(files[0]) != one


def test_a_graph_that_is_not_the_model_is_refused(engine: SentenceTransformersEngine) -> None:
    """Below the bar of its precision nothing is exported, and the error names bar and cosine."""
    inputs = engine.encode(["one text", "another"])
    with pytest.raises(RefusedError, match=r"fake fp32: cosine -?0\.\d+ with the reference is below 0\.9999 for text"):
        check(FakeEngine(), inputs, engine.embed(inputs))


@pytest.mark.reference
def test_a_refused_export_leaves_the_old_artifact(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 3, and the folder is as it was."""
    before = {file: file.stat().st_mtime_ns for file in copy.rglob("*")}
    monkeypatch.setenv("ARTIFACTS", str(copy))
    monkeypatch.setitem(BARS, "fp32", 1.1)
    assert export.main(["--force", "--engines", "onnx"]) == 3
    assert {file: file.stat().st_mtime_ns for file in copy.rglob("*")} == before


def test_an_artifact_that_can_not_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Exit 3, with the place and what the system says."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("ARTIFACTS", str(tmp_path / "file"))
    monkeypatch.setenv("EMBEDDING_MODEL", MODEL)
    assert export.main(["--engines", "onnx"]) == 3
    assert caplog.messages[-1] == f"no artifact: {tmp_path / 'file'}: File exists"


def test_what_an_exporter_raises_is_told_and_ends_with_status_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The last line has its reason, the lines before it where it came from."""

    def build(*_: object) -> None:
        raise RuntimeError("no such operator\nand more")

    monkeypatch.setenv("ARTIFACTS", str(tmp_path))
    monkeypatch.setenv("EMBEDDING_MODEL", MODEL)
    monkeypatch.setattr(export, "build", build)
    assert export.main([]) == 3
    assert caplog.messages[-1] == "no artifact: no such operator"
    assert "Traceback" in caplog.text


@pytest.mark.reference
def test_an_artifact_that_is_there_is_not_made_again(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second export changes nothing; after a file was altered it makes all anew."""
    monkeypatch.setenv("ARTIFACTS", str(copy))
    monkeypatch.setattr(export, "build", lambda *_, **__: pytest.fail("made again"))
    assert export.main([]) == 0
    (copy / MODEL / "model.xml").write_text("altered")
    made: list[str] = []
    monkeypatch.setattr(export, "build", lambda model, *_, **__: made.append(model.name))
    assert export.main([]) == 0
    assert made == [MODEL]


@pytest.mark.parametrize("file", ["model.xml", "model.bin", "model.fp32.compiled", "tokenizer/tokenizer.json"])
@pytest.mark.parametrize("how", ["altered", "emptied", "missing"])
def test_files_that_are_not_the_manifests_stop_the_start(copy: Path, file: str, how: str) -> None:
    """A manifest that matches but files that don't is fatal, never a fall-back."""
    path = copy / MODEL / file
    if how == "altered":
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    elif how == "emptied":
        path.write_bytes(b"")
    else:
        path.unlink()
    with pytest.raises(Fatal, match=rf"artifact .*{file} (was altered: expected sha256|can't be read: No such file)"):
        load(WorkerSettings(artifacts=copy, engine="openvino", precision="fp32"))


@pytest.mark.reference
def test_an_artifact_of_other_weights_is_none(copy: Path) -> None:
    """ENGINE=auto runs the model itself; an engine that needs the artifact says how to make one."""
    rewrite(copy, source={"model.safetensors": "0" * 64})
    assert load(WorkerSettings(artifacts=copy)).engine.name == "sentence-transformers"
    with pytest.raises(Fatal, match=r"made of other weights; make one with python -m worker\.export"):
        load(WorkerSettings(artifacts=copy, engine="onnx"))


def test_a_manifest_that_lacks_a_file_of_its_graph_is_fatal(copy: Path, manifest: Manifest) -> None:
    """Nobody knows whether the file is the right one."""
    rewrite(copy, files={name: digest for name, digest in manifest.files.items() if name != "model.bin"})
    with pytest.raises(Fatal, match=r"model\.bin was altered: expected sha256 none"):
        load(WorkerSettings(artifacts=copy, engine="openvino", precision="fp32"))


def test_a_garbled_manifest_is_fatal(copy: Path) -> None:
    """Nobody knows what it was."""
    rewrite(copy, variants="none")
    with pytest.raises(Fatal, match=r"manifest\.json is no manifest of an artifact"):
        load(WorkerSettings(artifacts=copy))


def test_an_artifact_serves_without_the_model_it_was_made_of(
    artifacts: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image carries no weights but the artifact's; names and fingerprints are the model's all the same."""
    monkeypatch.setattr("worker.loading.locate", lambda name: pytest.fail(f"looked for {name}"))
    onnx = load(WorkerSettings(artifacts=artifacts, engine="onnx"))
    openvino = load(WorkerSettings(artifacts=artifacts, engine="openvino", precision="fp32"))
    assert (onnx.name, onnx.engine.precision, openvino.engine.name) == (MODEL, "fp32", "openvino")
    assert onnx.fingerprint != openvino.fingerprint


@pytest.mark.parametrize("kind", ["openvino bf16", "openvino fp32"])
def test_vectors_are_the_same_at_few_lengths(
    kind: str, artifacts: Path, manifest: Manifest, varied_texts: list[str]
) -> None:
    """Texts that the first requests bring, padded to more, are as near to the later ones' as the bar demands."""
    variant = variant_of(kind, manifest)
    engine = engine_of(artifacts / MODEL, manifest, variant, threads=2)
    inputs = engine.encode(varied_texts)
    at_all = np.concatenate([engine.embed([ids]) for ids in inputs])
    engine.lengths = few(engine.lengths)
    assert list(engine.lengths) == [24, 48, 96, 192, 256]
    at_few = np.concatenate([engine.embed([ids]) for ids in inputs])
    assert (at_all * at_few).sum(axis=1).min() >= BARS[variant.precision]


def test_a_machine_that_computes_other_vectors_ends_the_start(copy: Path, manifest: Manifest) -> None:
    """A worker compares its warm-up with the vectors that the export wrote beside the graph."""
    folder = copy / MODEL
    [variant] = [each for each in manifest.variants if (each.engine, each.precision) == ("onnx", "fp32")]
    assert variant.known
    np.save(folder / variant.known, -np.load(folder / variant.known))
    rewrite(copy, files={**manifest.files, variant.known: sha256(folder / variant.known)})
    settings = WorkerSettings(artifacts=copy, engine="onnx")
    with pytest.raises(Fatal, match="onnx fp32 computes other vectors on this machine than where it was exported"):
        begin(settings).warm.result(60)
