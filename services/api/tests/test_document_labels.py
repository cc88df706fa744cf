"""With `CLASSIFY_DOCUMENTS` documents get a label on their way in, and no write fails for want of one."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from api import document_labels, predictors
from api.told import Told
from services.api.tests.helpers.serving import on
from services.api.tests.helpers.standin import Misbehaviour, StandIn, head, hold, refuse

SPACE = "fp-1"  # the stand-in's
LONG = 60.0  # seconds: on a busy machine nothing else is late


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier test had in the log is not what this one is asked about."""
    monkeypatch.setattr(document_labels, "_told", Told(document_labels.log))


@pytest.fixture(autouse=True)
def _time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels are late only where a test wants it."""
    monkeypatch.setattr(document_labels, "LATER", LONG)
    monkeypatch.setattr(predictors, "LOOK", LONG)


@pytest.fixture
def worker() -> StandIn:
    """A stand-in with a head."""
    standin = StandIn()
    standin.predictor = head(SPACE)
    return standin


@pytest.fixture
def api(worker: StandIn, address: str) -> Iterator[TestClient]:
    """An api that labels documents, with a database of its own."""
    with on(worker, database_url=address, classify_documents=True, request_timeout=2 * LONG) as client:
        yield client


def store(api: TestClient, *documents: dict[str, Any]) -> httpx2.Response:
    """Store documents, which must succeed."""
    answer = api.post("/v1/documents", json={"documents": documents})
    assert answer.status_code == 200, answer.text
    return answer


def metadata(api: TestClient, name: str) -> Any:
    """Of a stored document."""
    return api.get(f"/v1/documents/{name}").json()["metadata"]


def counted() -> dict[str, float]:
    """Documents by what became of their label."""
    found = {each: REGISTRY.get_sample_value("api_document_labels_total", {"result": each}) for each in RESULTS}
    return {name: value or 0.0 for name, value in found.items()}


RESULTS = ("computed", "own", "no_predictor", "failed", "no_room")


def since(before: dict[str, float]) -> dict[str, float]:
    """What was counted since then."""
    return {name: value - before[name] for name, value in counted().items() if value > before[name]}


def test_documents_have_the_label_of_their_text(api: TestClient, worker: StandIn) -> None:
    """Beside their own metadata, in what is read and in the filter of a search; the answer is what it was."""
    before = counted()
    answer = store(api, {"id": "a", "text": "a long text", "metadata": {"k": 1}}, {"id": "b", "text": "short"})
    assert answer.json() == {"ids": ["a", "b"]}
    assert "classify;dur=" in answer.headers["Server-Timing"]
    assert (metadata(api, "a"), metadata(api, "b")) == ({"k": 1, "label": "long"}, {"label": "short"})
    found = api.post("/v1/search", json={"query": "q", "filter": {"label": "short"}}).json()["results"]
    assert [(each["id"], each["metadata"]["label"]) for each in found] == [("b", "short")]
    assert since(before) == {"computed": 2}
    assert worker.lanes[:2] == ["bulk", "bulk"]


@pytest.mark.parametrize("own", ["mine", None, 7, ["a", "b"]])
def test_a_label_of_its_own_stays(api: TestClient, worker: StandIn, own: Any) -> None:
    """Whatever it is; only the others are classified."""
    before = counted()
    store(api, {"id": "a", "text": "a long text", "metadata": {"label": own}}, {"id": "b", "text": "also long"})
    assert (metadata(api, "a"), metadata(api, "b")) == ({"label": own}, {"label": "long"})
    assert [len(rows) for rows in worker.predicted] == [1]
    assert since(before) == {"own": 1, "computed": 1}


def test_a_document_that_is_stored_again_has_the_same_label(api: TestClient) -> None:
    """Without the label of before, which was not its own: another text has another one."""
    for text, label in (("a long text", "long"), ("a long text", "long"), ("short", "short")):
        store(api, {"id": "again", "text": text})
        assert metadata(api, "again") == {"label": label}


def test_it_is_off_by_default(worker: StandIn, address: str) -> None:
    """Nothing is asked of a predictor."""
    with on(worker, database_url=address) as api:
        store(api, {"id": "a", "text": "a long text"})
        assert metadata(api, "a") == {}
    assert worker.predicted == []


@pytest.mark.parametrize("had_one", [False, True])
def test_without_a_predictor_documents_are_stored_without_a_label(
    worker: StandIn, address: str, caplog: pytest.LogCaptureFixture, had_one: bool
) -> None:
    """Before its first rollout and after its roll-back: no write fails or waits, and the log says it once."""
    worker.predictor = head(SPACE) if had_one else None
    settings = {"classify_documents": True, "worker_patience": LONG, "request_timeout": 2 * LONG}
    with on(worker, database_url=address, **settings) as api:
        worker.predictor = None
        before = counted()
        for _ in range(3):
            assert store(api, {"id": "a", "text": "a long text"}).json() == {"ids": ["a"]}
        assert metadata(api, "a") == {}
        assert since(before) == {"no_predictor": 3}
        assert had_one or worker.predicted == []  # no vectors are sent in vain
        said = [each.getMessage() for each in caplog.records if each.name == "api.labels"]
        assert len(said) == 1
        assert "stored without a label: predictor is unavailable: no worker has one: PREDICTOR" in said[0]
        worker.predictor = head(SPACE)
        store(api, {"id": "a", "text": "a long text"})
        assert metadata(api, "a") == {"label": "long"}


@pytest.mark.parametrize(
    ("misbehaviour", "later", "why"),
    [
        (hold(asyncio.Event()), 0.1, "the predictor took more than 0.1 s"),
        (refuse(500, message="because"), LONG, "because"),
        (refuse(503, code="overloaded", message="the queue is full"), LONG, "the queue is full"),
        (refuse(504, message="too late"), LONG, "too late"),
    ],
    ids=["slow", "broken", "overloaded", "late"],
)
def test_a_predictor_that_fails_fails_no_write(
    api: TestClient,
    worker: StandIn,
    misbehaviour: Misbehaviour,
    later: float,
    why: str,
    *,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nor one that is slow: it gets a second at most, and half of the request's time."""
    monkeypatch.setattr(document_labels, "LATER", later)
    worker.before_predict = misbehaviour
    before = counted()
    store(api, {"id": "a", "text": "a long text"})
    assert (metadata(api, "a"), since(before)) == ({}, {"failed": 1})
    assert [why in each.getMessage() for each in caplog.records if each.name == "api.labels"] == [True]


def test_one_of_another_space_labels_nothing(api: TestClient, worker: StandIn) -> None:
    """The label would be one at random."""
    worker.predictor = head("another")
    before = counted()
    store(api, {"id": "a", "text": "a long text"})
    assert (metadata(api, "a"), since(before)) == ({}, {"failed": 1})


def test_the_limit_of_metadata_holds_with_the_label(api: TestClient) -> None:
    """What has no room for it is stored as it came: the caller has kept to the limit."""
    full = {"k": "x" * (16_384 - len('{"k":""}'))}
    before = counted()
    store(api, {"id": "full", "text": "a long text", "metadata": full}, {"id": "b", "text": "short"})
    assert (metadata(api, "full"), metadata(api, "b")) == (full, {"label": "short"})
    assert since(before) == {"no_room": 1, "computed": 1}


def test_no_text_and_no_label_is_in_the_log(api: TestClient, worker: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    """At any level, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    worker.predictor = head(SPACE, classes=("canary-no", "canary-yes"))
    store(api, {"id": "a", "text": "canary text", "metadata": {"canary": 1}})
    worker.before_predict = refuse(500, message="broken")
    store(api, {"id": "a", "text": "canary text"})
    worker.before_predict, worker.predictor = None, head("another", classes=("canary-no", "canary-yes"))
    store(api, {"id": "a", "text": "canary text"})
    assert [each for each in caplog.messages if "canary" in each] == []
