"""What an estimator's file may be, and what ends the start, with the reason."""

import importlib.util
import json
import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import orjson
import pytest
import sklearn
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from contract.model import ModelInfo
from services.worker.tests.estimators import StandIn, as_skops, classifier, pickled, predicting
from warmstart.lifecycle.lifespan import StartFailed

ROW = {"features": [[7, 1]]}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def _open() -> None:
    StandIn.gate.set()


def failure(settings: dict[str, Any], **more: Any) -> str:
    """Why a worker with this estimator doesn't start; at the first attempt, since nothing heals meanwhile."""
    with pytest.raises(StartFailed, match=r"\(attempt 1\)") as failed, predicting(settings, **more):
        pass
    return str(failed.value)


def served(settings: dict[str, Any], **more: Any) -> Any:
    """The prediction of a row."""
    with predicting(settings, **more) as client:
        return client.post("/predict", json=ROW).json()["predictions"]


def test_a_pickle_is_loaded_with_its_digest_only(tmp_path: Path) -> None:
    """Its sha256 is checked before a byte of it is unpickled; in capitals, it is the same."""
    settings = pickled(tmp_path, classifier())
    assert served(settings) == ["high"]
    assert served({**settings, "predictor_sha256": settings["predictor_sha256"].upper()}) == ["high"]
    for digest, words in ((None, "runs whatever code is in it"), ("0" * 64, "is not that of PREDICTOR_SHA256")):
        settings["predictor"].write_bytes(b"cos\nsystem\n(S'touch " + os.fsencode(tmp_path / "ran") + b"'\ntR.")
        assert words in failure({**settings, "predictor_sha256": digest})
        assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("compress", ["zlib", "gzip", "bz2", "xz", "lzma"])
def test_a_compressed_pickle_is_a_pickle(tmp_path: Path, compress: str) -> None:
    """In each form that joblib has."""
    file = tmp_path / "model.pkl"
    joblib.dump(classifier(), file, compress=(compress, 3))
    assert "runs whatever code" in failure({"predictor": file})
    assert served(pickled(tmp_path, classifier())) == ["high"]


def test_a_skops_file_needs_no_digest_but_may_have_one(tmp_path: Path) -> None:
    """A wrong one ends the start all the same."""
    settings = as_skops(tmp_path, make_pipeline(StandardScaler().fit([[-5.0, 0.0], [5.0, 9.0]]), classifier()))
    assert served(settings) == ["high"]
    assert "is not that of PREDICTOR_SHA256" in failure({**settings, "predictor_sha256": "0" * 64})


def test_a_type_that_skops_does_not_trust_is_named(tmp_path: Path) -> None:
    """It is loaded when a setting names it."""
    settings = as_skops(tmp_path, StandIn())
    name = "services.worker.tests.estimators.StandIn"
    assert f"types that are not trusted: {name}; PREDICTOR_TRUSTED_TYPES" in failure(settings)
    assert served(settings, predictor_trusted_types=f"other.Type, {name}") == [8.0]


@pytest.mark.parametrize("save", [pickled, as_skops])
def test_another_version_of_scikit_learn_ends_the_start(
    tmp_path: Path, save: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both versions are named: scikit-learn itself would only warn."""
    with monkeypatch.context() as older:
        older.setattr("sklearn.base.__version__", "1.0.2")
        settings = save(tmp_path, classifier())
    assert f"LogisticRegression was made with scikit-learn 1.0.2, and this is {sklearn.__version__}" in failure(
        settings
    )


@pytest.mark.parametrize("package", ["sklearn", "skops"])
def test_a_package_that_is_missing_is_named(tmp_path: Path, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    settings, find = as_skops(tmp_path, classifier()), importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    assert "which is not installed: make install-predictor" in failure(settings)


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    """Missing, a folder, a pipe that nobody writes, empty, cut."""
    missing = tmp_path / "missing.skops"
    assert f"PREDICTOR={missing} can't be read: No such file" in failure({"predictor": missing})
    assert "is no file" in failure({"predictor": tmp_path})
    os.mkfifo(tmp_path / "pipe")
    assert "is no file" in failure({"predictor": tmp_path / "pipe"})
    (tmp_path / "empty").write_bytes(b"")
    assert "is no skops file" in failure({"predictor": tmp_path / "empty"})
    whole = as_skops(tmp_path, classifier())["predictor"].read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    assert "can't be loaded" in failure({"predictor": tmp_path / "cut"})


class ExitsWhenLoaded:
    """Ends the program that unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.exit, ("no licence",)


class ExitsWhenUsed:
    """Ends the program that has it predict."""

    n_features_in_ = 2

    def predict(self, _: NDArray[np.float64]) -> NDArray[np.float64]:
        """Nothing."""
        sys.exit("no licence")


@pytest.mark.parametrize(
    ("estimator", "words"),
    [(ExitsWhenLoaded(), "can't be loaded: SystemExit: no licence"), (ExitsWhenUsed(), "can't predict a row of zeros")],
    ids=["when loaded", "when used"],
)
def test_an_estimator_that_exits_is_named(tmp_path: Path, estimator: Any, words: str) -> None:
    """SystemExit ends the start as any error does, with the file's name."""
    settings = pickled(tmp_path, estimator)
    said = failure(settings)
    assert f"PREDICTOR={settings['predictor']}" in said
    assert words in said


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"coef": 1}, "dict is no estimator: it has no predict"),
        (LogisticRegression, "is no estimator"),
        (LogisticRegression(), "not fitted"),
        (make_pipeline(FunctionTransformer(), LogisticRegression()), "not fitted"),
        (StandardScaler().fit([[1.0, 2.0]]), "StandardScaler is no estimator"),
    ],
    ids=["a dict", "a class", "not fitted", "a pipeline not fitted", "a scaler"],
)
def test_what_is_no_fitted_estimator_ends_the_start(tmp_path: Path, value: Any, words: str) -> None:
    """The reason names its type."""
    assert words in failure(pickled(tmp_path, value))


def test_a_prediction_that_is_not_finite_ends_the_start(tmp_path: Path) -> None:
    """Of the class, or of its probabilities."""
    spoilt = classifier()
    spoilt.intercept_ = np.array([np.nan])
    assert "not finite" in failure(pickled(tmp_path, spoilt))


class Few:
    """Sums two features, of 16 rows at most."""

    n_features_in_ = 2

    def predict(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sums."""
        if len(table) > 16:
            raise MemoryError
        sums: NDArray[np.float64] = table.sum(axis=1)
        return sums


def test_an_estimator_that_fails_with_many_rows_ends_the_start(tmp_path: Path) -> None:
    """At the first attempt, as with few; loaded by the first request, it is a typed 503."""
    settings = pickled(tmp_path, Few())
    assert "Few of 2 features can't predict 32 rows: MemoryError in predict" in failure(settings)
    with predicting(settings, warmup="lazy") as client:
        answer = client.post("/predict", json=ROW)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "dependency_unavailable")


def test_a_row_that_takes_longer_than_a_request_ends_the_start(tmp_path: Path) -> None:
    """Nobody could ever get its prediction."""
    assert "a request has 0.01 s" in failure(pickled(tmp_path, StandIn(0.02)), request_timeout=0.01)


@pytest.mark.parametrize(("name", "enough"), [("max_body_values", 5), ("max_body_bytes", 41)])
def test_a_row_that_fits_into_no_body_ends_the_start(tmp_path: Path, name: str, enough: int) -> None:
    """The reason names the features and the limit; a body of a row, with probabilities, may just have it."""
    settings = pickled(tmp_path, classifier())
    body = {**ROW, "probabilities": True}
    with predicting(settings, **{name: enough}) as client:
        assert client.post("/predict", content=orjson.dumps(body), headers=JSON).json()["predictions"] == ["high"]
    words = f"it takes 2 features, which no body may hold: {name.upper()} is {enough - 1}"
    assert words in failure(settings, **{name: enough - 1})


def test_a_card_beside_the_file_gives_space_and_example(tmp_path: Path) -> None:
    """The space must be that of the worker's model, the card that of the file."""
    head = LogisticRegression().fit(np.eye(384), [0, 1] * 192)
    settings = as_skops(tmp_path, head)
    with predicting(settings) as client:
        told = ModelInfo.model_validate(client.get("/model").json())
        assert told.predictor
    card = {"space": told.space, "sha256": told.predictor.sha256, "example": [0.1] * 384, "scores": {"accuracy": 1}}
    beside = tmp_path / "estimator.skops.json"
    beside.write_text(json.dumps(card))
    with predicting(settings) as client:
        assert client.get("/model").json()["predictor"]["space"] == told.space
        assert client.post("/predict", json={"features": [[0.1] * 384]}).json()["space"] == told.space
    for change, words in (
        ({"space": "another"}, "was fitted on embeddings of the space another"),
        ({"sha256": "0" * 64}, "is about a file with sha256 0000"),
        ({"example": [1.0]}, "the example on its card has 1 features, and it takes 384"),
        ({"space": 5}, "estimator.skops.json can't be read: space: Input should be a valid string"),
    ):
        beside.write_text(json.dumps({**card, **change}))
        assert words in failure(settings)


@pytest.mark.parametrize("field", ["space", "sha256"])
def test_a_card_that_says_nothing_to_compare_ends_the_start(tmp_path: Path, field: str) -> None:
    """Its space or sha256 is missing or empty: the comparison would be left out."""
    settings = as_skops(tmp_path, classifier())
    card: dict[str, Any] = {"space": None, "sha256": sha256(settings["predictor"].read_bytes()).hexdigest()}
    beside = tmp_path / "estimator.skops.json"
    beside.write_text(json.dumps(card))
    assert served(settings) == ["high"]  # null: it takes no embeddings
    for spoilt, words in (
        ({name: value for name, value in card.items() if name != field}, "Field required"),
        ({**card, field: ""}, "String should have at least 1 character"),
    ):
        beside.write_text(json.dumps(spoilt))
        assert f"its card estimator.skops.json can't be read: {field}: {words}" in failure(settings)


def test_a_head_of_another_width_than_the_models_vectors_ends_the_start(tmp_path: Path) -> None:
    """A card may name the right space by mistake."""
    settings = as_skops(tmp_path, classifier())
    with predicting(settings) as client:
        space = client.get("/model").json()["space"]
    card = {"space": space, "sha256": sha256(settings["predictor"].read_bytes()).hexdigest()}
    (tmp_path / "estimator.skops.json").write_text(json.dumps(card))
    assert "takes 2 features, and a vector has 384" in failure(settings)
