"""Models other than the default one: what is exported serves the vectors of their own library, the rest is refused."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warmstart import Fatal
from worker import export
from worker.artifact.manifest import BARS
from worker.artifact.verification import RefusedError, check
from worker.engines.base import Engine
from worker.loading import load
from worker.settings import WorkerSettings

POOLINGS = ["mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken", ("max", "cls")]


@pytest.fixture
def made(small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a small RoBERTa, which the settings name from then on."""
    monkeypatch.setenv("ARTIFACTS", str(tmp_path / "artifacts"))

    def make(*arguments: object, **options: object) -> Path:
        folder = tmp_path / "small"
        small.roberta(folder, *arguments, **options)
        monkeypatch.setenv("EMBEDDING_MODEL", str(folder))
        return folder

    return make


def expected(folder: Path, texts: Sequence[str]) -> Any:
    """The vectors of the model's own library, by whose limit a text has at most 64 tokens."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    model.max_seq_length = 64
    return model.encode(list(texts), normalize_embeddings=True)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_pooling_is_exported(pooling: Any, made: Callable[..., Path], varied_texts: list[str]) -> None:
    """One that knows of rows of different lengths, and texts beyond the longest, which this model doesn't tell."""
    folder = made(pooling)
    assert export.main(["--engines", "onnx"]) == 0
    engine = load(WorkerSettings()).engine
    assert (engine.name, engine.max_tokens) == ("onnx", 64)
    rows = engine.embed(engine.encode(varied_texts))
    assert (rows * expected(folder, varied_texts)).sum(axis=1).min() >= BARS["fp32"]


def test_long_texts_are_cut_where_the_model_cuts_them(made: Callable[..., Path], varied_texts: list[str]) -> None:
    """`truncation_side: left` keeps the ends of texts, and of token ids, in the artifact too."""
    folder = made()
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"truncation_side": "left"}))
    assert export.main(["--engines", "onnx"]) == 0
    engine = load(WorkerSettings()).engine
    rows = engine.embed(engine.encode(varied_texts))
    assert (rows * expected(folder, varied_texts)).sum(axis=1).min() >= BARS["fp32"]
    ids = list(range(5, 300))
    assert engine.from_ids(ids)[1:-1] == ids[-62:]


def test_dimensions_that_the_model_leaves_out_are_left_out(made: Callable[..., Path]) -> None:
    """`truncate_dim` of the model's configuration: the first of its dimensions, and unit vectors of those."""
    folder = made(truncate_dim=16)
    assert export.main(["--engines", "onnx"]) == 0
    engine = load(WorkerSettings()).engine
    assert engine.dimensions == 16
    np.testing.assert_allclose(engine.embed(engine.encode(["one"])), expected(folder, ["one"]), atol=1e-5)


def test_prompts_are_those_of_the_models_configuration(small: Any, made: Callable[..., Path]) -> None:
    """With the artifact and without; the library's own empty ones are none."""
    made(prompts=small.PROMPTS, default_prompt_name="clustering")
    itself = load(WorkerSettings())
    assert export.main(["--engines", "onnx"]) == 0
    exported = load(WorkerSettings())
    assert (itself.engine.name, exported.engine.name) == ("sentence-transformers", "onnx")
    assert itself.prompts == exported.prompts
    assert exported.prompts.model_dump() == {"texts": small.PROMPTS, "default": "clustering"}


def test_another_folder_of_the_same_name_replaces_nothing(
    small: Any, made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker may serve the first one's artifact. --force replaces one, and so does its own folder, trained again."""
    folder = made("cls")
    assert export.main(["--engines", "onnx"]) == 0
    first = load(WorkerSettings()).space
    small.roberta(folder / "v2" / folder.name, "mean")
    monkeypatch.setenv("EMBEDDING_MODEL", str(folder / "v2" / folder.name))
    assert export.main(["--engines", "onnx"]) == 3
    assert "was made of another folder than" in caplog.messages[-1]
    assert load(WorkerSettings(embedding_model=str(folder))).space == first
    assert export.main(["--engines", "onnx", "--force"]) == 0
    second = load(WorkerSettings()).space
    small.roberta(folder / "v2" / folder.name, "mean", truncate_dim=16)
    assert export.main(["--engines", "onnx"]) == 0
    assert load(WorkerSettings()).space not in {first, second}


def test_a_module_that_is_not_supported_is_named(made: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    """An export and a start end with one line that has its name, and the names of those that are supported."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import WeightedLayerPooling

    folder = made()
    [transformer, pooling] = SentenceTransformer(str(folder), device="cpu")
    layers = WeightedLayerPooling(48, num_hidden_layers=2, layer_start=1)
    SentenceTransformer(modules=[transformer, layers, pooling], device="cpu").save(str(folder))
    why = "its module WeightedLayerPooling is not supported: a Transformer comes first, then Pooling, Dense,"
    with pytest.raises(Fatal, match=why):
        load(WorkerSettings())
    assert export.main([]) == 3
    assert why in caplog.messages[-1]
    assert "\n" not in caplog.messages[-1]


def test_a_pooling_that_the_library_does_not_know_is_named(made: Callable[..., Path]) -> None:
    """As of a model that is newer than the library."""
    config = made() / "1_Pooling" / "config.json"
    config.write_text(config.read_text().replace('"mean"', '"attention"'))
    with pytest.raises(Fatal, match="Invalid pooling mode: 'attention'"):
        load(WorkerSettings())


def test_pooling_without_the_prompt_is_refused(small: Any, made: Callable[..., Path]) -> None:
    """Unless there is no prompt to leave out."""
    options = {"include_prompt": False}
    made(small.Pooling(48, "mean", **options), prompts=small.PROMPTS)
    with pytest.raises(Fatal, match="leaves the prompt out"):
        load(WorkerSettings())
    made(small.Pooling(48, "mean", **options))
    assert not load(WorkerSettings()).prompts.any


def test_an_engine_that_is_too_far_from_the_model_is_left_out(
    made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another serves, and the next export finds the artifact there."""

    def too_far(engine: Engine, *arguments: Any) -> float:
        if engine.name == "openvino":
            raise RefusedError(f"{engine.name} {engine.precision} is below")
        return check(engine, *arguments)

    made()
    monkeypatch.setattr("worker.artifact.build.check", too_far)
    assert export.main(["--engines", "openvino"]) == 3
    assert export.main([]) == 0
    assert load(WorkerSettings()).engine.name == "onnx"
    assert not list(Path(os.environ["ARTIFACTS"]).rglob("*.xml"))
    monkeypatch.setattr(export, "build", lambda *_, **__: pytest.fail("made again"))
    assert export.main([]) == 0


def test_a_model_that_brings_its_own_code_is_refused(
    made: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    """Code from a model's folder is never run; the export's last word is one line, as for all that can't be loaded."""
    config = made() / "config.json"
    own = {"model_type": "own", "auto_map": {"AutoConfig": "configuration_own.OwnConfig"}}
    config.write_text(json.dumps(json.loads(config.read_text()) | own))
    assert export.main([]) == 3
    assert "contains custom code" in caplog.messages[-1]
    assert "\n" not in caplog.messages[-1]
