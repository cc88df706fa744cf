"""An int8 artifact is a model of its own, with its own space, and a card that says how near it is to fp32."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worker import export
from worker.artifact import card as judged
from worker.artifact import int8
from worker.artifact.card import CARD, Card
from worker.artifact.engine import instructions
from worker.artifact.manifest import Manifest
from worker.artifact.quantize import FILES
from worker.loading import begin, load
from worker.settings import WorkerSettings

# `made` has torch's module, which also stands for nncf: both are there for Python 3.11.
pytestmark = pytest.mark.reference
NAME = "tiny-int8"


@pytest.fixture(scope="module")
def made(small: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small BERT, `tiny`, texts, pairs, and its artifacts at fp32 and int8."""
    home: Path = tmp_path_factory.mktemp("int8")
    small.bert_mean(home / "tiny")
    (home / "texts").write_text("\n".join(small.SENTENCES[:300]))
    (home / "pairs").write_text("".join(f"{text}\t{text[::-1]}\t{len(text)}\n" for text in small.SENTENCES[:9]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(int8, "SENTENCES", home / "none")
        patch.setattr(judged, "RECALL", 0.1)  # weights at random are no model
        patch.setenv("EMBEDDING_MODEL", str(home / "tiny"))
        patch.setenv("ARTIFACTS", str(home / "artifacts"))
        assert export.main([]) == 0
        own = ["--texts", str(home / "texts"), "--labelled", str(home / "pairs")]
        assert export.main(["--int8", *own]) == 0
    return home


def settings(made: Path, **changed: Any) -> WorkerSettings:
    """Of a worker that serves it."""
    return WorkerSettings(**{"embedding_model": NAME, "artifacts": made / "artifacts", **changed})


def test_it_is_served_by_its_name_and_has_a_space_of_its_own(made: Path) -> None:
    """The warm-up finds the vectors that the export wrote; PRECISION=int8 with the model's own name is the same."""
    quantized = begin(settings(made))
    quantized.warm.result(60)
    loaded = quantized.loaded.result()
    assert (loaded.name, loaded.engine.name, loaded.engine.precision) == (NAME, "openvino", "int8")
    assert loaded.known is not None
    asked = load(settings(made, embedding_model=str(made / "tiny"), precision="int8"))
    exact = load(settings(made, embedding_model=str(made / "tiny")))
    assert asked.space == loaded.space == loaded.fingerprint
    assert loaded.space not in {exact.space, exact.fingerprint}
    one, other = (engine.embed(engine.encode(["a text"])) for engine in (loaded.engine, exact.engine))
    assert 0.9 < float((one * other).sum()) < 1


def test_another_quantization_is_another_space(made: Path, tmp_path: Path) -> None:
    """The same weights, quantized with other texts, give other vectors."""
    shutil.copytree(made / "artifacts", tmp_path / "artifacts")
    file = tmp_path / "artifacts" / NAME / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["source"][f"int8/{FILES[1]}"] = "0" * 64
    file.write_text(json.dumps(manifest))
    assert load(settings(tmp_path)).space != load(settings(made)).space


def test_the_card_is_in_the_artifact(made: Path) -> None:
    """It judges by texts that did not calibrate, and no graph but the quantized one is left."""
    card = Card.model_validate_json((made / "artifacts" / NAME / CARD).read_bytes())
    assert card.model == NAME
    assert [(each.name, each.texts) for each in card.sets] == [("texts", 275)]
    assert 0.9 < card.sets[0].cosine_min <= card.sets[0].cosine_mean <= 1
    assert card.labelled
    assert (card.labelled.name, card.labelled.pairs) == ("pairs", 9)
    assert "nncf" in card.versions
    assert "recall@10" in card.table()
    assert re.fullmatch(r"OpenVINO int8, the rest (bf16|fp32)", card.engine)
    assert card.cpu == instructions()
    manifest = Manifest.read(made / "artifacts" / NAME)
    assert manifest
    assert CARD in manifest.files
    assert not list((made / "artifacts" / NAME).glob("model.[xo]*"))


def test_below_the_bar_there_is_none(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The export ends with status 3 and the figure; nothing is left, and an artifact that was there stays."""
    before = made / "artifacts" / NAME
    monkeypatch.setattr(
        int8, "write_int8", lambda _, folder, *__: [shutil.copy(before / file, folder) for file in FILES]
    )
    monkeypatch.setattr(int8, "SENTENCES", made / "texts")
    monkeypatch.setattr(judged, "RECALL", 1.1)
    monkeypatch.setenv("EMBEDDING_MODEL", str(made / "tiny"))
    monkeypatch.setenv("ARTIFACTS", str(tmp_path))
    monkeypatch.setenv("PRECISION", "int8")
    assert export.main([]) == 3
    assert "no artifact: tiny-int8: recall@10" in caplog.messages[-1]
    assert list(tmp_path.iterdir()) == []
    shutil.copytree(before, tmp_path / NAME)
    assert export.main(["--force"]) == 3
    np.testing.assert_array_equal(*(np.load(each / "known.openvino.int8.npy") for each in (before, tmp_path / NAME)))
    assert [file.name for file in tmp_path.iterdir()] == [NAME]


def test_without_nncf_the_export_says_how_to_get_it(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And what makes an artifact that isn't there, when somebody asks for it by its name."""
    monkeypatch.setitem(sys.modules, "nncf", None)
    monkeypatch.setenv("EMBEDDING_MODEL", str(made / "tiny"))
    monkeypatch.setenv("ARTIFACTS", str(tmp_path))
    assert export.main(["--int8"]) == 3
    assert "int8 needs nncf: make install-int8" in caplog.messages[-1]
    monkeypatch.setenv("EMBEDDING_MODEL", "other-int8")
    assert export.main([]) == 3
    assert "make it with: make artifact PRECISION=int8 EMBEDDING_MODEL=other" in caplog.messages[-1]
