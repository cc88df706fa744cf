"""`POST /v1/classify`: embeddings, then the worker's predictor."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from aiohttp import web
from fastapi.testclient import TestClient

from api import prediction
from services.api.tests.helpers.serving import on
from services.api.tests.helpers.standin import StandIn, head, hold, refuse
from stack import until

SPACE = "fp-1"  # the stand-in's
LONG, SHORT = "a long text", "short"


@pytest.fixture
def worker() -> StandIn:
    """A stand-in with a head of its own space."""
    standin = StandIn()
    standin.predictor = head(SPACE)
    return standin


@pytest.fixture
def api(worker: StandIn) -> Iterator[TestClient]:
    """An api on it."""
    with on(worker) as client:
        yield client


def classify(api: TestClient, *texts: str, **more: Any) -> httpx2.Response:
    """Classify texts."""
    return api.post("/v1/classify", json={"texts": texts, **more})


def test_each_text_has_its_label_and_its_score(api: TestClient, worker: StandIn) -> None:
    """In order; the answer names the head that made it, and says what was embedded and how long each stage took."""
    answer = classify(api, LONG, SHORT, LONG)
    assert answer.status_code == 200, answer.text
    long, short = {"label": "long", "score": 0.75}, {"label": "short", "score": 0.75}
    assert answer.json() == {
        "results": [long, short, long],
        "model": "lengths",
        "fingerprint": "lengths",
        "usage": {"prompt_tokens": 27, "total_tokens": 27},
    }
    assert worker.calls == [[LONG, SHORT]]
    assert [[row[0] for row in rows] for rows in worker.predicted] == [[11, 5, 11]]
    stages = [each.split(";")[0] for each in answer.headers["Server-Timing"].split(", ")]
    assert stages == ["cache", "tokenize", "queue", "inference", "classify"]


def test_the_score_of_every_class_is_for_who_asks(api: TestClient) -> None:
    """By the name of the class."""
    result = classify(api, LONG, scores=True).json()["results"][0]
    assert result == {"label": "long", "score": 0.75, "scores": {"short": 0.25, "long": 0.75}}


@pytest.mark.parametrize("classes", [(0, 1), (False, True), (0.5, 1.5)])
def test_a_label_keeps_its_kind(api: TestClient, worker: StandIn, classes: tuple[Any, Any]) -> None:
    """Numbers and booleans stay what they are; their names among the scores are as JSON writes them."""
    worker.predictor = head(SPACE, classes=classes)
    result = classify(api, LONG, scores=True).json()["results"][0]
    assert result["label"] is classes[1] or result["label"] == classes[1]
    assert type(result["label"]) is type(classes[1])
    assert list(result["scores"]) == [str(each).lower() for each in classes]


@pytest.mark.parametrize("of_before", [False, True])
def test_without_a_predictor_it_is_refused(api: TestClient, worker: StandIn, of_before: bool) -> None:
    """A typed 503 that names the setting, whether the worker knows of predictors; the rest works."""
    worker.predictor = None
    if of_before:
        worker.before_predict = refuse(404, code="not_found")
    for _ in range(2):
        answer = classify(api, LONG)
        assert answer.status_code == 503
        error = answer.json()["error"]
        assert error["code"] == "dependency_unavailable"
        assert "PREDICTOR" in error["message"]
    assert api.post("/v1/embeddings", json={"model": "stand-in", "input": LONG}).status_code == 200


def test_a_retry_is_for_a_predictor_that_there_was(worker: StandIn) -> None:
    """After a roll-back of the predictor each refusal has a Retry-After: what was there may come back."""
    with on(worker, worker_patience=0) as api:
        assert classify(api, LONG).status_code == 200
        worker.predictor = None
        answers = [classify(api, LONG) for _ in range(3)]
    assert [(each.status_code, each.headers.get("Retry-After")) for each in answers] == [(503, "1")] * 3


def test_where_there_has_never_been_one_nothing_is_embedded() -> None:
    """It costs the caller no quota, and the worker no computation; no Retry-After invites another try."""
    worker = StandIn()
    with on(worker, quota="3/hour") as api:
        refused = [classify(api, LONG) for _ in range(9)]
        assert [(each.status_code, each.headers.get("Retry-After")) for each in refused] == [(503, None)] * 9
        assert worker.calls == []
        worker.predictor = head(SPACE)
        assert [classify(api, LONG).status_code for _ in range(4)] == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"space": "another"}, "lengths is for vectors of another space"),
        ({"space": None}, "lengths doesn't say of which space"),
        ({"classes": None}, "lengths is no classifier"),
    ],
)
def test_a_predictor_of_something_else_is_refused(
    api: TestClient, worker: StandIn, changes: dict[str, Any], says: str
) -> None:
    """Trained with another model, by other means, or for numbers: a typed 503 that says so, and no label."""
    worker.predictor = head(SPACE).model_copy(update=changes)
    answer = classify(api, LONG)
    assert answer.status_code == 503
    assert f"predictor is unavailable: {says}" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("wrong_number_of_features", "is not for the served model's embeddings: it takes another number of features"),
        ("row_refused", "refuses the served model's embeddings: because"),
    ],
)
def test_a_predictor_that_takes_no_embeddings_is_refused(
    api: TestClient, worker: StandIn, code: str, says: str
) -> None:
    """A 503 in words for the caller, who has sent texts and no features."""
    worker.before_predict = refuse(400, param="features.0", code=code, message="because")
    answer = classify(api, LONG)
    assert answer.status_code == 503
    assert answer.json()["error"]["message"] == f"predictor is unavailable: the worker's {says}"


REFUSES = "predictor is unavailable: the worker's refuses the served model's embeddings"


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        ((400, "row_refused"), f"{REFUSES}: texts.3: no"),
        ((500, "inference_failed"), "worker is unavailable: texts.3: no"),
    ],
)
def test_the_text_at_which_the_predictor_fails_is_named(
    api: TestClient, worker: StandIn, monkeypatch: pytest.MonkeyPatch, refusal: tuple[int, str], says: str
) -> None:
    """The caller has sent no features; the predictor got the first two texts by themselves."""
    status, code = refusal
    monkeypatch.setattr(prediction, "VALUES", 10)  # two rows of four

    async def fail_at_short(request: web.Request, rows: list[Any]) -> web.StreamResponse | None:
        if rows[1][0] > 5:
            return None
        return await refuse(status, param="features.1", code=code, message="features.1: no")(request, rows)

    worker.before_predict = fail_at_short
    answer = classify(api, LONG, LONG, LONG, SHORT)
    assert answer.status_code == 503
    error = answer.json()["error"]
    assert (error["message"], error["param"]) == (says, "texts.3")
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ({}, "texts", "required"),
        ({"texts": []}, "texts", "at least 1 item"),
        ({"texts": "a"}, "texts", "list"),
        ({"texts": None}, "texts", "list"),
        ({"texts": ["a"] * 257}, "texts", "at most 256"),
        ({"texts": ["a", ""]}, "texts.1", "at least 1 character"),
        ({"texts": ["a", 7]}, "texts.1", "string"),
        ({"texts": ["a\0"]}, "texts.0", "NUL"),
        ({"texts": ["a", "a" * 20_001]}, "texts.1", "20000"),
        ({"texts": ["a"], "scores": 1}, "scores", "boolean"),
        ({"texts": ["a"], "model": "m"}, "model", "not permitted"),
    ],
)
def test_bad_input(api: TestClient, body: dict[str, Any], param: str, says: str) -> None:
    """400 with the field and the limit."""
    answer = api.post("/v1/classify", json=body)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert says in error["message"]


def test_both_calls_wait_in_the_lane_that_was_asked_for(api: TestClient, worker: StandIn) -> None:
    """Another value is refused."""
    answer = api.post("/v1/classify", json={"texts": [LONG]}, headers={"X-Priority": "bulk"})
    assert (answer.status_code, worker.lanes) == (200, ["bulk", "bulk"])
    assert api.post("/v1/classify", json={"texts": [LONG]}, headers={"X-Priority": "now"}).status_code == 400


def test_a_slow_predictor_ends_with_the_time_budget(api: TestClient, worker: StandIn) -> None:
    """It is told how long the caller still waits; then the caller has a 504, and the call is cancelled."""
    worker.before_predict = hold(asyncio.Event())
    answer = api.post("/v1/classify", json={"texts": [LONG]}, headers={"X-Request-Timeout": "0.5"})
    assert answer.status_code == 504
    assert all(0 < each <= 0.5 for each in worker.budgets)
    assert len(worker.budgets) == 2
    until(lambda: worker.cancelled == 1, 10, "the cancelled call")


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (503, "overloaded", "overloaded"),
        (500, "inference_failed", "dependency_unavailable"),
        (504, "", "deadline_exceeded"),
    ],
)
def test_refusals_of_the_worker_keep_their_meaning(
    api: TestClient, worker: StandIn, status: int, code: str, expected: str
) -> None:
    """As those of its embeddings do."""
    worker.before_predict = refuse(status, code=code, message="because", retry_after=7)
    answer = classify(api, LONG)
    assert answer.json()["error"]["code"] == expected
    assert "because" in answer.json()["error"]["message"]
    if code == "overloaded":
        assert answer.headers["retry-after"] == "7"
