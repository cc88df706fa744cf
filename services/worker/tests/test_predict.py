"""`POST /predict`: rows of features in, predictions out; bad input is named."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from pydantic import SecretStr

from contract.limits import ROWS
from contract.model import ModelInfo
from contract.predict import PATH, PredictRequest, PredictResponse
from services.worker.tests.estimators import as_skops, classifier, pickled, predicting
from services.worker.tests.stand_ins import serving
from worker.engines.fake import FakeEngine

REFUSED: dict[str, tuple[Any, str | None, str]] = {
    "nothing": ({}, "features", "required"),
    "no rows": ({"features": []}, "features", "at least 1"),
    "one row, not in a list": ({"features": [1, 2]}, "features.0", "valid list"),
    "too many rows": ({"features": [[1, 2]] * (ROWS + 1)}, "features", f"at most {ROWS}"),
    "an empty row": ({"features": [[1, 2], []]}, "features.1", "at least 1"),
    "too few features": ({"features": [[1, 2], [1]]}, "features.1", "has 1 features; the estimator takes 2"),
    "too many features": ({"features": [[1, 2, 3]]}, "features.0", "has 3 features; the estimator takes 2"),
    "text": ({"features": [[1, "2"]]}, "features.0.1", "valid number"),
    "a boolean": ({"features": [[1, True]]}, "features.0.1", "valid number"),
    "null": ({"features": [[1, None]]}, "features.0.1", "valid number"),
    "another key": ({"features": [[1, 2]], "model": "x"}, "model", "not permitted"),
    "no boolean": ({"features": [[1, 2]], "probabilities": "maybe"}, "probabilities", "boolean"),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A worker with a classifier in skops' format."""
    with predicting(as_skops(tmp_path_factory.mktemp("predict"), classifier(), "iris.skops")) as client:
        yield client


def test_rows_get_their_predictions(client: TestClient) -> None:
    """In their order, with the estimator's name and nothing that was not asked for."""
    answer = client.post(PATH, json={"features": [[7, 1], [-7, 1.5], [8, 0]]})
    assert answer.status_code == 200
    sha256 = client.get("/model").json()["predictor"]["sha256"]
    assert answer.json() == {"predictions": ["high", "low", "high"], "model": "iris", "fingerprint": sha256}
    assert "predict;dur=" in answer.headers["Server-Timing"]


def test_probabilities_come_when_they_are_asked_for(client: TestClient) -> None:
    """They are the estimator's own, for the classes in their order."""
    rows = [[7.0, 1.0], [-0.5, 3.0]]
    answer = client.post(PATH, json={"features": rows, "probabilities": True}).json()
    assert answer["classes"] == ["high", "low"]
    np.testing.assert_allclose(answer["probabilities"], classifier().predict_proba(rows))
    assert PredictResponse.model_validate(answer).predictions == answer["predictions"]


def test_the_model_tells_of_the_estimator(client: TestClient, tmp_path: Path) -> None:
    """`GET /model` has its name, digest, features and classes; a worker without one has none."""
    told = ModelInfo.model_validate(client.get("/model").json()).predictor
    assert told
    assert (told.name, told.features, told.classes, told.space) == ("iris", 2, ("high", "low"), None)
    assert len(told.sha256) == 64
    with serving(FakeEngine()) as without:
        assert without.get("/model").json()["predictor"] is None


def test_a_worker_without_an_estimator_says_so() -> None:
    """404 with a code of its own, and the setting's name."""
    with serving(FakeEngine()) as client:
        answer = client.post(PATH, json={"features": [[1, 2]]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "predictor_not_configured")
    assert "PREDICTOR" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("body", "param", "words"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused(client: TestClient, body: Any, param: str | None, words: str) -> None:
    """400 with the field's path and the limit in words."""
    answer = client.post(PATH, json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert words in error["message"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
def test_numbers_that_are_not_finite_are_refused(client: TestClient, number: str) -> None:
    """Also those that only Python takes for JSON, and integers beyond all floats."""
    body = f'{{"features": [[1, {number}]]}}'
    answer = client.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("content", [b"{", b"\xff", b"", b"[1, 2]", b'{"features": [["\\ud800"]]}'])
def test_what_is_no_request_is_refused(client: TestClient, content: bytes) -> None:
    """Malformed JSON, broken UTF-8, nothing, a bare list and half a surrogate pair are 400, not 500."""
    answer = client.post(PATH, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_the_largest_call_is_served(client: TestClient) -> None:
    """So many rows as the limit says, and the numbers at the ends of what is finite within float32."""
    answer = client.post(PATH, json={"features": [[3e38, -3e38]] * ROWS})
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) == ROWS


def test_who_has_no_secret_gets_no_prediction(tmp_path: Path) -> None:
    """WORKER_SECRET guards this route as the others."""
    secret = "s" * 22
    with predicting(pickled(tmp_path, classifier()), worker_secret=SecretStr(secret)) as client:
        assert client.post(PATH, json={"features": [[7, 1]]}).status_code == 401
        allowed = client.post(PATH, json={"features": [[7, 1]]}, headers={"Authorization": f"Bearer {secret}"})
    assert allowed.status_code == 200


def test_a_lazy_worker_loads_the_estimator_with_the_first_request(tmp_path: Path) -> None:
    """It is ready without it; one that can't be loaded is a 503 that says why."""
    with predicting(as_skops(tmp_path, classifier()), warmup="lazy") as client:
        assert detail(client) == "not loaded yet"
        assert client.post(PATH, json={"features": [[7, 1]]}).json()["predictions"] == ["high"]
        assert detail(client) == "estimator: LogisticRegression of 2 features, 2 classes"
    (tmp_path / "estimator.skops").write_bytes(b"PK\x03\x04 spoilt")
    with predicting({"predictor": tmp_path / "estimator.skops"}, warmup="lazy") as client:
        for answer in (client.post(PATH, json={"features": [[7, 1]]}), client.get("/model")):
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "dependency_unavailable")
            assert "can't be loaded" in answer.json()["error"]["message"]


def test_the_textbooks_route_and_ours_predict_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its body is one row, ours a list of rows; its `model.pkl` is served with the digest beside it."""
    settings = pickled(tmp_path, classifier((0, 1)), "model.pkl")
    monkeypatch.chdir(tmp_path)
    app = FastAPI()
    app.state.model = joblib.load("model.pkl")

    @app.post("/predict")
    def predict(features: list[float], request: Request) -> Any:
        prediction = request.app.state.model.predict([features])
        return {"prediction": prediction.tolist()}

    row = [6.5, 2.0]
    theirs = TestClient(app).post("/predict", json=row).json()
    with predicting(settings) as client:
        ours = client.post(PATH, json={"features": [row]}).json()
    assert theirs["prediction"] == ours["predictions"] == [1]


def test_the_request_of_the_contract_is_what_the_worker_takes(client: TestClient) -> None:
    """An api writes it with the same class."""
    body = PredictRequest(features=[[7.0, 1.0]], probabilities=True).model_dump_json()
    answer = client.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert json.loads(answer.content)["predictions"] == ["high"]


def detail(client: TestClient) -> str:
    """What /startupz says of the estimator."""
    resources = client.get("/startupz").json()["resources"]
    return next(str(each["detail"]) for each in resources if each["name"] == "predictor")
