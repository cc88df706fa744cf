"""The tutorials' own code runs on the services, with other imports and nothing else changed."""

import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.textbook import ours, snippets
from tests.textbook.snippets import API, WORKER, run


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """New applications for each test, without a model unless it asks for one."""
    monkeypatch.setenv("ENGINE", "fake")
    for name in (WORKER, API):
        monkeypatch.delitem(sys.modules, name, raising=False)


def pickled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write `model.pkl`, and go where it is."""
    import joblib
    from sklearn.linear_model import LinearRegression

    joblib.dump(LinearRegression().fit([[0, 0], [1, 2]], [0, 3]), folder / "model.pkl")
    monkeypatch.chdir(folder)


def test_its_test_passes() -> None:
    """`with TestClient(app)` runs the real lifespan, and a text is embedded."""
    run(snippets.TEST_WITH_THE_LIFESPAN)["test_embed_endpoint"]()


@pytest.mark.reference
def test_its_test_passes_with_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with all-MiniLM-L6-v2."""
    monkeypatch.setenv("ENGINE", "auto")
    run(snippets.TEST_WITH_THE_LIFESPAN)["test_embed_endpoint"]()


def test_a_fake_lifespan_serves_its_model() -> None:
    """The worker embeds with what it puts on `app.state.embedding_model`, and is ready when it says so."""
    app = run(snippets.TEST_WITH_A_FAKE_LIFESPAN)["app"]
    with TestClient(app) as client:
        answer = client.post("/embeddings/", json={"texts": ["hello world"]})
        assert answer.status_code == 200
        body = answer.json()
        assert body["embeddings"] == [pytest.approx([0.1, 0.2, 0.3])]
        assert (body["model"], body["dimensions"], body["prompt_tokens"]) == ("unknown", 3, 0)
        app.state.embedding_model.encode.assert_called_once_with(["hello world"])
        assert [client.get(path).status_code for path in ("/livez", "/readyz", "/startupz")] == [200, 200, 200]


@pytest.mark.reference
def test_its_model_is_served() -> None:
    """The worker embeds with the SentenceTransformer that the tutorial's own lifespan loads."""
    from tests.textbook.main import app

    app.router.lifespan_context = run(snippets.MODEL_IN_THE_LIFESPAN)["lifespan"]
    with TestClient(app) as client:
        body = client.post("/embeddings/", json={"texts": ["hello world", "another"]}).json()
        assert (len(body["embeddings"]), body["dimensions"]) == (2, 384)
        assert sum(number**2 for number in body["embeddings"][0]) == pytest.approx(1, abs=1e-5)
    assert not hasattr(app.state, "embedding_model")


@pytest.mark.parametrize("none_at_all", [False, True])
def test_a_fake_lifespan_without_its_model(none_at_all: bool) -> None:
    """None is a typed 503, as the tutorial's route answers it, and so is a lifespan that puts nothing there."""
    app = run(snippets.TEST_WITH_A_FAKE_LIFESPAN)["app"]
    with TestClient(app) as client:
        app.state.embedding_model = None
        if none_at_all:
            del app.state.embedding_model
        answer = client.post("/embeddings/", json={"texts": ["hello world"]})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "dependency_unavailable")


@pytest.mark.reference
def test_its_estimator_is_no_model_of_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the other tutorial puts on `app.state.model` can't embed, and the worker's route says so."""
    pickled(tmp_path, monkeypatch)
    from tests.textbook.main import app

    app.router.lifespan_context = run(snippets.PREDICT)["lifespan"]
    with TestClient(app) as client:
        answer = client.post("/embeddings/", json={"texts": ["hello world"]})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "dependency_unavailable")


@pytest.mark.parametrize("given", [[[0.1, 0.2], [0.3, 0.4]], [0.1, 0.2], [["a"]], [[0.1], [0.2, 0.3]], None])
def test_a_fake_model_that_gives_no_rows(given: Any) -> None:
    """Another number of rows, or no rows of numbers, is a typed 500 that says so."""
    app = run(snippets.TEST_WITH_A_FAKE_LIFESPAN)["app"]
    with TestClient(app) as client:
        app.state.embedding_model.encode.return_value = given
        answer = client.post("/embeddings/", json={"texts": ["hello world"]})
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "inference_failed")
        assert "gave no 1 rows of numbers" in answer.json()["error"]["message"]


def test_a_fake_model_knows_no_token_ids() -> None:
    """They are refused with the field, as ids beyond a vocabulary are."""
    with TestClient(run(snippets.TEST_WITH_A_FAKE_LIFESPAN)["app"]) as client:
        answer = client.post("/embeddings/", json={"token_ids": [[1]]})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "token_ids.0.0")


def test_a_real_lifespan_comes_back() -> None:
    """After the fake lifespan the real one serves the real model, whatever was left on `app.state`."""
    from tests.textbook.main import app

    real = app.router.lifespan_context
    run(snippets.TEST_WITH_A_FAKE_LIFESPAN)
    with TestClient(app) as client:
        assert client.post("/embeddings/", json={"texts": ["a"]}).json()["dimensions"] == 3
    app.router.lifespan_context = real
    with TestClient(app) as client:
        assert client.post("/embeddings/", json={"texts": ["a"]}).json()["dimensions"] == 384


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "all-MiniLM-L6-v2", "input": "a"}),
        ("/v1/search", {"query": "a"}),
        ("/v1/documents", {"documents": [{"text": "a"}]}),
        ("/v1/documents/a", None),
        ("/v1/models", None),
        ("/v1/classify", {"texts": ["a"]}),
    ],
)
def test_a_fake_lifespan_of_the_api(path: str, body: Any) -> None:
    """It opens none of what the api's routes need: each says so with a typed 503, and the probes answer."""
    with TestClient(run(snippets.TEST_WITH_A_FAKE_LIFESPAN, main=API)["app"]) as client:
        answer = client.post(path, json=body) if body else client.get(path)
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "unavailable_error")
        assert "the application's lifespan has not run" in answer.json()["error"]["message"]
        assert [client.get(probe).status_code for probe in ("/livez", "/readyz")] == [200, 200]


@pytest.mark.parametrize("by_a_dependency", [False, True])
def test_the_shared_client(by_a_dependency: bool) -> None:
    """`app.state.http` is opened once, reached by the request or by a dependency, and closed at the end."""
    names = run(snippets.SHARED_CLIENT)
    if by_a_dependency:
        names["app"] = ours.FastAPI(lifespan=names["lifespan"])
        run(snippets.CLIENT_AS_A_DEPENDENCY, names)
    app = names["app"]
    with TestClient(app) as client:
        assert client.get("/weather").json() == {"sky": "clear"}
        assert not app.state.http.is_closed
    assert app.state.http.is_closed


def test_the_engine() -> None:
    """It is made once, needs no server for that, and makes sessions."""
    app = run(snippets.DATABASE_ENGINE)["app"]
    with TestClient(app) as client:
        assert client.get("/livez").status_code == 200
        assert app.state.SessionLocal().bind is app.state.engine


@pytest.mark.reference
def test_predict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that joblib wrote is loaded once, and predicts."""
    pickled(tmp_path, monkeypatch)
    with TestClient(run(snippets.PREDICT)["app"]) as client:
        assert client.post("/predict", json=[1, 2]).json() == {"prediction": [pytest.approx(3)]}


def test_the_exit_stack() -> None:
    """Everything in it is released at the end."""
    app = run(snippets.EXIT_STACK)["app"]
    with TestClient(app) as client:
        assert client.get("/livez").status_code == 200
        assert (app.state.http.is_closed, app.state.engine.disposed) == (False, False)
    assert (app.state.http.is_closed, app.state.engine.disposed) == (True, True)
