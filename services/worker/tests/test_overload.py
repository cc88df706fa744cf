"""Work that is too large, too late, or for clients that have left is refused or dropped early."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection

import httpx2
import pytest
from fastapi.testclient import TestClient

from contract.call import estimate
from services.worker.tests.stand_ins import (
    LIMIT,
    GatedEngine,
    RecordingEngine,
    engine_resource,
    listening,
    metric,
    put_forward,
    serving,
)
from stack import until
from worker import turns
from worker.app import create_app
from worker.engines.fake import FakeEngine
from worker.settings import WorkerSettings

WAITING = "four words that wait"  # 6 tokens; 7 are reserved until it is tokenized and waits
SAVED = "embedding_texts_saved_total"
BODY = json.dumps({"texts": [WAITING]})


class Busy:
    """A worker whose engine computes the text `first` until its gate is opened."""

    def __init__(self, client: TestClient, engine: GatedEngine, pool: ThreadPoolExecutor) -> None:
        self.client = client
        self.engine = engine
        self._pool = pool
        self.first = self.post("first")
        until(lambda: engine.passes, LIMIT, "the first pass")

    def post(self, text: str, **headers: str) -> Future[httpx2.Response]:
        """Ask for one text, from a thread of its own."""
        return self._pool.submit(self.client.post, "/embeddings/", json={"texts": [text]}, headers=headers)

    def wait(self, text: str, **headers: str) -> Future[httpx2.Response]:
        """Ask for one text, and return when it waits in the queue, tokenized: its tokens aren't those estimated."""
        [ids] = FakeEngine().encode([text])
        assert len(ids) != estimate([text], special=2, longest=256)
        waiting = metric("worker_queue_tokens", lane="interactive") + len(ids)
        answer = self.post(text, **headers)
        until(lambda: metric("worker_queue_tokens", lane="interactive") == waiting, LIMIT, "the text waits")
        return answer


@pytest.fixture
def busy() -> Iterator[Busy]:
    """A busy worker with room for 10 tokens."""
    engine = GatedEngine()
    with serving(engine, max_queue_tokens=10, request_timeout=600) as client, ThreadPoolExecutor(4) as pool:
        try:
            yield Busy(client, engine, pool)
        finally:
            engine.gate.set()


def test_a_full_queue_refuses_before_tokenizing(busy: Busy) -> None:
    """503 with Retry-After and the numbers; what was accepted is served, and the queue is empty again."""
    waiting = busy.wait(WAITING)
    tokenized = len(busy.engine.encoded_on)
    refused = busy.post("x " * 500).result()
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "overloaded"
    assert "6 tokens wait already; the limit is 10" in refused.json()["error"]["message"]
    assert int(refused.headers["Retry-After"]) >= 1
    assert len(busy.engine.encoded_on) == tokenized
    busy.engine.gate.set()
    assert [busy.first.result().status_code, waiting.result().status_code] == [200, 200]
    assert metric("worker_queue_tokens", lane="interactive") == 0


def test_a_full_bulk_lane_refuses_bulk_only(busy: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside it an interactive request is let in, and computed first; both are counted by lane."""
    monkeypatch.setattr(turns, "AGED", LIMIT)  # seconds; on a slow machine the bulk request would rightly go first
    waited = {lane: metric("worker_queue_seconds_count", lane=lane) for lane in ("bulk", "interactive")}
    bulk = busy.post(WAITING, **{"X-Priority": "bulk"})
    until(lambda: metric("worker_queue_tokens", lane="bulk") == 6, LIMIT, "the bulk text waits")
    assert busy.post(WAITING, **{"X-Priority": "bulk"}).result().status_code == 503
    interactive = busy.wait("three words wait")
    busy.engine.gate.set()
    assert [bulk.result().status_code, interactive.result().status_code] == [200, 200]
    assert busy.engine.embedded == FakeEngine().encode(["first", "three words wait", WAITING])
    assert {lane: metric("worker_queue_seconds_count", lane=lane) - waited[lane] for lane in waited} == {
        "bulk": 1,
        "interactive": 1,
    }


def test_a_large_request_is_bulk_unless_it_asks() -> None:
    """Beyond a batch of 2,048 tokens, of its own or of its whole call; the header overrides in both directions."""
    small, large = ["word"], ["word " * 255] * 9
    with serving(RecordingEngine()) as client:
        for texts, headers, lane in (
            (small, {}, "interactive"),
            (large, {}, "bulk"),
            (small, {"X-Call-Tokens": "2049"}, "bulk"),
            (small, {"X-Priority": "bulk"}, "bulk"),
            (large, {"X-Priority": "interactive"}, "interactive"),
        ):
            waited = metric("worker_queue_seconds_count", lane=lane)
            assert client.post("/embeddings/", json={"texts": texts}, headers=headers).status_code == 200
            assert metric("worker_queue_seconds_count", lane=lane) == waited + 1, (len(texts), headers)


def test_an_unknown_lane_is_refused() -> None:
    """400 with the header's name and what it may be."""
    with serving(RecordingEngine()) as client:
        answer = client.post("/embeddings/", json={"texts": ["a"]}, headers={"X-Priority": "high"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "X-Priority")
    assert answer.json()["error"]["message"] == "X-Priority must be interactive or bulk"


def test_a_call_that_can_not_end_in_time_is_refused_at_once() -> None:
    """256 texts of 256 tokens are more than an idle worker does in a second: 413 with what fits, nothing tokenized."""
    engine = RecordingEngine()
    with serving(engine, request_timeout=1) as client:  # it counts on 5,000 tokens/s until it has measured
        answer = client.post("/embeddings/", json={"texts": ["x" * 1024] * 256})
        part = client.post("/embeddings/", json={"texts": ["part"]}, headers={"X-Call-Tokens": "65536"})
        fitting = client.post("/embeddings/", json={"texts": ["x" * 1024] * 11})
    for refused in (answer, part):
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_many_tokens")
    assert "about 3000 tokens, 11 texts of this size, would fit" in answer.json()["error"]["message"]
    assert fitting.status_code == 200
    assert len(engine.embedded) == 11


@pytest.mark.parametrize("value", ["", "-1", "1e9", "many", "9" * 50, "²"])
def test_a_senseless_size_of_a_call_is_ignored(value: str) -> None:
    """The header is a hint of the api; what can't be read is as if absent."""
    with serving(RecordingEngine()) as client:
        answer = client.post("/embeddings/", json={"texts": ["a"]}, headers=[(b"X-Call-Tokens", value.encode())])
    assert answer.status_code == 200


def test_work_whose_time_is_spent_is_not_computed(busy: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's X-Request-Timeout is its deadline: 504, counted, and the engine never sees the text."""
    dropped, saved = metric("worker_dropped_total", reason="expired"), metric(SAVED, reason="deadline")
    waiting = busy.wait("four words come late", **{"X-Request-Timeout": "300"})
    put_forward(busy.client, 300, monkeypatch)  # the request of the first text has more
    late = waiting.result()
    assert (late.status_code, late.json()["error"]["code"]) == (504, "deadline_exceeded")
    until(lambda: metric("worker_dropped_total", reason="expired") == dropped + 1, LIMIT, "it was counted")
    until(lambda: metric(SAVED, reason="deadline") == saved + 1, LIMIT, "it was counted as saved")
    busy.engine.gate.set()
    assert busy.first.result().status_code == 200
    assert busy.engine.embedded == FakeEngine().encode(["first"])


def test_health_does_not_queue_behind_work(busy: Busy) -> None:
    """While the engine is busy and the queue full, probes and GET /model answer."""
    waiting = busy.wait(WAITING)
    for path in ("/livez", "/readyz", "/readyz/model", "/model"):
        assert busy.client.get(path).status_code == 200
    busy.engine.gate.set()
    assert waiting.result().status_code == 200


def test_work_of_a_client_that_left_is_not_computed() -> None:
    """A client that closes its connection while its text waits frees its place, and is counted."""
    engine = GatedEngine()
    settings = WorkerSettings(warmup_passes=False, drain_seconds=0)
    dropped, saved = metric("worker_dropped_total", reason="abandoned"), metric(SAVED, reason="client_left")
    with (
        listening(create_app(settings, [engine_resource(engine)])) as url,
        ThreadPoolExecutor(1) as pool,
        httpx2.Client(base_url=url) as client,
    ):
        first = pool.submit(client.post, "/embeddings/", json={"texts": ["first"]})
        until(lambda: engine.passes, LIMIT, "the first pass")
        with closing(HTTPConnection(url.removeprefix("http://"), timeout=LIMIT)) as leaving:
            leaving.request("POST", "/embeddings/", BODY, {"Content-Type": "application/json"})
            until(lambda: metric("worker_queue_tokens", lane="interactive") == 6, LIMIT, "the text waits")
        until(lambda: metric("worker_dropped_total", reason="abandoned") > dropped, LIMIT, "it was counted")
        until(lambda: metric("worker_queue_texts", lane="interactive") == 0, LIMIT, "it left the queue")
        assert metric("worker_queue_tokens", lane="interactive") == 0
        assert metric(SAVED, reason="client_left") > saved
        engine.gate.set()
        assert first.result().status_code == 200
    assert engine.embedded == FakeEngine().encode(["first"])
