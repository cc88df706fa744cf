"""What estimators may answer: what JSON can say is served exactly, anything else ends the start with its reason."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest, RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from services.worker.tests.estimators import pickled, predicting
from services.worker.tests.test_predictor_start import failure
from worker.predictor.outputs import BrokenError, outputs_of

TABLE = [[float(n), float(n * n % 7)] for n in range(20)]
ROWS = [[3.0, 1.0], [17.0, 2.0]]


class Answers:
    """Predicts the same for each row, as a user's own class may."""

    n_features_in_ = 2

    def __init__(self, answer: Any, classes: Any = None) -> None:
        self.answer = answer
        if classes is not None:
            self.classes_ = classes

    def predict(self, table: Any) -> Any:
        """As many as there are rows."""
        return np.repeat(self.answer, len(table), axis=0) if isinstance(self.answer, np.ndarray) else self.answer


class Sparse(Answers):
    """Predicts a sparse matrix."""

    def predict(self, table: Any) -> Any:
        """Zeros."""
        return sparse.csr_matrix((len(table), 2))


def predictions(folder: Path, estimator: Any) -> Any:
    """The body of an answer."""
    with predicting(pickled(folder, estimator)) as client:
        answer = client.post("/predict", json={"features": ROWS, "probabilities": True})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    "labels",
    [("low", "high"), (0, 1), (-(2**53), 2**53 - 1), (False, True), (2.0, 3.0), ("ü", "日本")],
    ids=["text", "integers", "large integers", "booleans", "floats", "unicode"],
)
def test_classes_keep_their_type(tmp_path: Path, labels: tuple[Any, Any]) -> None:
    """A class is answered as it was in the fit, not as a scalar of numpy's."""
    answer = predictions(tmp_path, LogisticRegression().fit(TABLE, [labels[0]] * 10 + [labels[1]] * 10))
    assert [(type(each), each) for each in answer["predictions"]] == [(type(each), each) for each in labels]
    assert sorted(answer["classes"]) == sorted(labels)


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(StandardScaler(copy=False), LogisticRegression()),
        RandomForestClassifier(5, n_jobs=-1, random_state=0),
        KNeighborsClassifier(3, n_jobs=-1),
    ],
    ids=["pipeline", "pipeline that scales in place", "forest", "neighbours"],
)
def test_an_answer_is_the_estimators_own(tmp_path: Path, estimator: Any) -> None:
    """Predictions and probabilities, to the last digit."""
    estimator.fit(TABLE, ["a", "b", "c", "d"] * 5)
    answer = predictions(tmp_path, estimator)
    assert answer["predictions"] == estimator.predict(ROWS).tolist()
    assert answer["probabilities"] == estimator.predict_proba(ROWS).tolist()


@pytest.mark.parametrize(
    "estimator",
    [
        LinearRegression().fit(TABLE, [math.pi * n for n in range(20)]),
        RandomForestRegressor(5, random_state=0).fit(TABLE, [1e9 + n / 3 for n in range(20)]),
        LinearRegression().fit(TABLE, [[n, -n] for n in range(20)]),
        LinearRegression().fit(TABLE, [[n] for n in range(20)]),
        KMeans(2, random_state=0, n_init=1).fit(TABLE),
        IsolationForest(n_estimators=5, random_state=0).fit(TABLE),
    ],
    ids=["regression", "forest", "two outputs", "one output in a list", "clusters", "outliers"],
)
def test_what_has_no_probabilities_answers_without_them(tmp_path: Path, estimator: Any) -> None:
    """Numbers come as they are, integers as integers, several outputs as a list."""
    answer = predictions(tmp_path, estimator)
    expected = estimator.predict(np.array(ROWS)).tolist()
    assert (answer["predictions"], [*map(type, answer["predictions"])]) == (expected, [*map(type, expected)])
    assert set(answer) == {"predictions", "model", "fingerprint"}


def test_a_classifier_without_probabilities_has_classes(tmp_path: Path) -> None:
    """By which a caller tells it from an estimator of numbers."""
    answer = predictions(tmp_path, SVC().fit(TABLE, ["no", "yes"] * 10))
    assert answer["classes"] == ["no", "yes"]
    assert "probabilities" not in answer


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (Sparse(None), "it predicts a sparse matrix"),
        (
            MultiOutputClassifier(LogisticRegression()).fit(TABLE, [[n % 2, n % 3] for n in range(20)]),
            "several outputs",
        ),
        (KNeighborsClassifier().fit(TABLE, [[n % 2, n % 3] for n in range(20)]), "several outputs with classes"),
        (RandomForestClassifier(3).fit(TABLE, [[n % 2, n % 3] for n in range(20)]), "several outputs with classes"),
        (Answers(np.array([[1, 0]]), np.array([0, 1])), "several labels a row"),
        (Answers(np.array([b"a"]), np.array([b"a"])), "a class is of the type bytes"),
        (Answers(np.array(["2026-01-01"], "M8[D]"), np.array(["2026-01-01"], "M8[D]")), "a class is of the type date"),
        (Answers(np.array([np.nan]), np.array([np.nan])), "no finite number"),
        (Answers(np.array([None]), np.array([None])), "a class is of the type NoneType"),
        (Answers(np.array(["\ud800"]), np.array(["\ud800"])), "can't be written as JSON"),
        (Answers(np.array([10**30], object), np.array([10**30], object)), "can't be written as JSON"),
        (Answers(np.array(["a"])), "without classes_"),
        (Answers(np.array(["2026-01-01"], "M8[D]")), "without classes_"),
        (Answers(np.array([1j])), "complex128 without classes_"),
        (Answers(np.array([2**60])), "beyond 2\\*\\*53"),
        (Answers(np.array(["b"]), np.array(["a"])), "none of the classes"),
        (Answers(np.array([np.inf])), "not finite"),
        (Answers(np.array([[[1.0]]])), "shape"),
        (Answers(np.zeros((1, 0))), "shape"),
        (Answers(5.0), "shape"),
        (Answers(None), "shape"),
        (Answers([1.0]), "1, 1.* numbers for 3 rows"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_json_can_not_say_ends_the_start(tmp_path: Path, estimator: Any, words: str) -> None:
    """The reason says what it is."""
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(failure(pickled(tmp_path, estimator)))


@pytest.mark.parametrize(("proven", "later"), [(0, 2.75), (False, 8.0), (False, 2)])
def test_a_number_is_never_cut_to_the_type_of_the_proof(proven: float, later: float) -> None:
    """What predicted integers or booleans at its proof, and another number later, has failed."""
    outputs = outputs_of(None, np.array([proven]))
    assert outputs.decode(outputs.encode(np.array([proven]))) == [proven]
    with pytest.raises(BrokenError, match="as that of the proof was"):
        outputs.encode(np.array([later]))


def test_who_needs_more_than_numbers_can_not_be_served(tmp_path: Path) -> None:
    """Columns by name need a DataFrame, a vectorizer texts, an encoder categories that zeros may not be."""
    columns = ColumnTransformer([("scale", StandardScaler(), [0])]).fit(TABLE)
    columns._transformers = columns.transformers_ = [("scale", columns.transformers_[0][1], ["age"])]
    by_name = make_pipeline(columns, LogisticRegression())
    by_name[-1].fit([[1.0], [2.0]], [0, 1])
    assert "can't predict a row of zeros" in failure(pickled(tmp_path, by_name))
    texts = make_pipeline(CountVectorizer(), LogisticRegression()).fit(["a text", "another"], [0, 1])
    assert "doesn't say how many features" in failure(pickled(tmp_path, texts))
    encoder = make_pipeline(OneHotEncoder(), LogisticRegression()).fit([[1.0, 2.0], [3.0, 4.0]], [0, 1])
    settings = pickled(tmp_path, encoder)
    assert "(a card may name another `example`)" in failure(settings)
    card = {"sha256": settings["predictor_sha256"], "space": None, "example": [1, 4]}
    (tmp_path / "estimator.joblib.json").write_text(json.dumps(card))
    with predicting(settings) as client:
        assert client.post("/predict", json={"features": [[3, 2]]}).status_code == 200
        refused = client.post("/predict", json={"features": [[1, 2], [7, 2]]})
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (400, "row_refused", "features.1")


def test_the_jobs_of_an_estimator_keep_to_the_process_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those of estimators within it, whose parameters scikit-learn doesn't pass on once they are fitted."""
    from joblib import parallel
    from threadpoolctl import threadpool_info

    from worker.executor import DaemonExecutor
    from worker.predictor import threads

    forest = RandomForestClassifier(3, n_jobs=8).fit(TABLE, [0, 1] * 10)
    whole = MultiOutputClassifier(make_pipeline(StandardScaler(), forest), n_jobs=-1).fit(
        TABLE, [[n % 2, n % 3] for n in range(20)]
    )
    thread = DaemonExecutor("predictor")
    thread.submit(threads.limit, whole, 1).result()
    assert whole.n_jobs == 1
    assert {each[-1].n_jobs for each in whole.estimators_} == {1}
    assert {each["num_threads"] for each in thread.submit(threadpool_info).result()} == {1}
    assert type(thread.submit(parallel.get_active_backend).result()[0]).__name__ == "ThreadingBackend"
    thread.shutdown()
