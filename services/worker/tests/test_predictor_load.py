"""Predictions of concurrent calls: together, in time, each with its own error; a broken estimator is noticed."""

import logging
import re
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY
from sklearn.linear_model import LogisticRegression

from services.worker.tests.estimators import ENDLESS, POISON, STRANGE, StandIn, pickled, predicting
from services.worker.tests.stand_ins import LIMIT, listening, metric, put_forward
from stack import until
from stack.site import REPOSITORY
from worker.app import create_app
from worker.predictor.estimator import RefusedError, examined
from worker.predictor.resource import Rows
from worker.settings import WorkerSettings

WAITING = "worker_predictor_queue_rows"
SOON = {"health_interval": 0.05}


@pytest.fixture(autouse=True)
def _open(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stand-in as new."""
    monkeypatch.setattr(StandIn, "calls", [])
    monkeypatch.setattr(StandIn, "broken", None)
    StandIn.gate.set()
    yield
    StandIn.gate.set()


def post(client: TestClient, rows: list[list[float]], **headers: str) -> httpx2.Response:
    """Ask for predictions."""
    answer: httpx2.Response = client.post("/predict", json={"features": rows}, headers=headers)
    return answer


class Busy:
    """A worker whose estimator predicts a first row until the gate is opened."""

    def __init__(self, client: TestClient, pool: ThreadPoolExecutor) -> None:
        self.client, self._pool = client, pool
        StandIn.calls.clear()
        StandIn.gate.clear()
        self.first = self.ask([[0, 1]])
        until(lambda: StandIn.calls, LIMIT, "the first call")

    def ask(self, rows: list[list[float]], **headers: str) -> Future[httpx2.Response]:
        """Ask from a thread of its own."""
        return self._pool.submit(post, self.client, rows, **headers)

    def wait(self, rows: list[list[float]], **headers: str) -> Future[httpx2.Response]:
        """Ask, and return when the rows wait."""
        waiting = metric(WAITING, lane="interactive") + len(rows)
        answer = self.ask(rows, **headers)
        until(lambda: metric(WAITING, lane="interactive") == waiting, LIMIT, "the rows wait")
        return answer


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Busy]:
    """A busy worker with room for 70 rows."""
    settings = {"max_queue_rows": 70, "request_timeout": 600, **SOON}
    with predicting(pickled(tmp_path, StandIn()), **settings) as client, ThreadPoolExecutor(70) as pool:
        try:
            yield Busy(client, pool)
        finally:
            StandIn.gate.set()


def test_calls_that_wait_are_one_call_of_the_estimator(busy: Busy) -> None:
    """Each gets the predictions of its own rows."""
    asked = [busy.wait([[n, 1], [n, 2]]) for n in range(20)]
    StandIn.gate.set()
    assert [each.result().json()["predictions"] for each in asked] == [[n + 1.0, n + 2.0] for n in range(20)]
    assert StandIn.calls == [1, 40]


def test_a_bad_row_fails_alone_and_costs_few_calls(busy: Busy, caplog: pytest.LogCaptureFixture) -> None:
    """Among 64 rows it is found by halving; the error names it, and neither the error nor the log has its features."""
    rows = [[n + 100.0, 1] for n in range(63)]
    good = busy.wait(rows)
    bad = busy.wait([[POISON, 1]])
    with caplog.at_level(logging.WARNING):
        StandIn.gate.set()
        assert good.result().json()["predictions"] == [sum(row) for row in rows]
        error = bad.result().json()["error"]
    assert (bad.result().status_code, error["code"], error["param"]) == (400, "row_refused", "features.0")
    # Not the single rows: the row of the proof is tried among them, as often as the health is sampled.
    assert [size for size in StandIn.calls if size > 1] == [64, 32, 32, 16, 16, 8, 8, 4, 4, 2, 2]
    assert "1013" not in caplog.text + str(error)


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [(POISON, 400, "row_refused"), (ENDLESS, 400, "row_refused"), (STRANGE, 500, "inference_failed")],
)
def test_a_row_that_fails_has_a_typed_error(tmp_path: Path, number: float, status: int, code: str) -> None:
    """It makes nobody unready, and is counted."""
    with predicting(pickled(tmp_path, StandIn()), **SOON) as client:
        failed = metric("worker_predictor_failed_total")
        answer = post(client, [[1, 2], [number, 1]])
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (status, code, "features.1")
        assert metric("worker_predictor_failed_total") == failed + 1
        assert client.get("/readyz/predictor").status_code == 200
        assert post(client, [[1, 2]]).json()["predictions"] == [3]


@pytest.mark.parametrize(
    ("number", "level", "traced"), [(POISON, "WARNING", False), (ENDLESS, "WARNING", False), (STRANGE, "ERROR", True)]
)
def test_a_refused_row_is_one_line_of_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, number: float, level: str, traced: bool
) -> None:
    """Any caller can send such rows: only a fault of the estimator's own is an error with a traceback."""
    with predicting(pickled(tmp_path, StandIn())) as client:
        caplog.clear()
        post(client, [[number, 1]])
        said = [each for each in caplog.records if each.name == "worker.batcher"]
    assert [(each.levelname, bool(each.exc_info)) for each in said] == [(level, traced)]
    assert "features.0" in said[0].getMessage()
    assert str(int(number)) not in caplog.text


def test_numbers_that_overflow_warn_of_nothing() -> None:
    """numpy's warnings would be three lines of the log for each such row, and say nothing that the refusal doesn't."""
    fitted = LogisticRegression().fit([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]], ["low", "middle", "high"])
    # Two infinite scores. Whether one of 1e310 - 1e310 is infinite or NaN depends on the CPU: it may fuse the sums.
    fitted.coef_ = np.array([[100.0, 0.0], [100.0, 0.0], [0.0, 0.0]])
    estimator = examined(fitted, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RefusedError, match="not finite"):
            estimator.predict([np.array([[1e308, 1e308]])])


def test_a_full_queue_refuses(busy: Busy) -> None:
    """503 with Retry-After and the numbers; also a call larger than the queue, which an idle estimator would take."""
    refused = metric("worker_predictor_refused_total", lane="interactive")
    waiting = busy.wait([[1, 2]] * 60)
    answer, larger = busy.ask([[1, 2]] * 11).result(), busy.ask([[1, 2]] * 71).result()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "overloaded")
    assert answer.json()["error"]["message"] == "60 rows wait already; the limit is 70; 10 rows would fit now"
    assert answer.headers["Retry-After"] == "1"
    assert metric("worker_predictor_refused_total", lane="interactive") == refused + 2
    assert larger.status_code == 503
    StandIn.gate.set()
    assert waiting.result().status_code == 200


def test_one_row_is_no_rows() -> None:
    """In the words of a refusal."""
    assert [Rows(1, 1).size(count) for count in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]


def test_a_slow_estimator_refuses_what_can_not_end_in_time(tmp_path: Path) -> None:
    """At 0.1 s a row, 256 rows are too many for a request of 5 s; what fits is predicted in portions."""
    with predicting(pickled(tmp_path, StandIn(0.1)), request_timeout=5, **SOON) as client:
        StandIn.calls.clear()
        answer = post(client, [[1, 2]] * 256)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_rows")
        assert "a call of 256 rows is too large: it may take" in answer.json()["error"]["message"]
        assert StandIn.calls == []
        fitting = post(client, [[1, 2]] * 8)
        assert fitting.json()["predictions"] == [3] * 8
        assert max(StandIn.calls) <= 5
        assert client.get("/readyz").status_code == 200


def test_a_call_with_a_fixed_cost_is_not_taken_for_slow_rows(tmp_path: Path) -> None:
    """A forest's trees take as long for one row as for many: a full call is measured, and none is refused for that."""
    with predicting(pickled(tmp_path, StandIn(fixed=0.26)), **SOON) as client:
        assert StandIn.calls[-1] == 256
        assert post(client, [[1, 2]] * 256).status_code == 200


def costs(seconds: float, a_row: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each call take so many seconds, and more for each row; no time passes otherwise."""

    def now() -> float:
        return sum(seconds + a_row * rows for rows in StandIn.calls)

    monkeypatch.setattr("worker.predictor.estimator.perf_counter", now)
    monkeypatch.setattr("worker.batcher._now", now)


@pytest.mark.parametrize("seconds", [0.6, 4.9])
def test_a_fixed_cost_never_makes_calls_smaller(
    tmp_path: Path, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At so many seconds a call, whatever its rows, many full calls later 256 rows are still one call."""
    costs(seconds, 0, monkeypatch)
    with predicting(pickled(tmp_path, StandIn())) as client:
        assert StandIn.calls[-9:] == [1, 2, 4, 8, 16, 32, 64, 128, 256]  # each is measured once
        assert [post(client, [[1, 2]] * 256).status_code for _ in range(20)] == [200] * 20
        assert StandIn.calls[-20:] == [256] * 20


def test_calls_are_as_large_as_the_largest_that_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """128 rows might take longer than a request: 64 are one call, also after many of them, and 65 are refused."""
    costs(3, 0.05, monkeypatch)
    with predicting(pickled(tmp_path, StandIn())) as client:
        assert StandIn.calls[-7:] == [1, 2, 4, 8, 16, 32, 64]
        assert [post(client, [[1, 2]] * 64).status_code for _ in range(20)] == [200] * 20
        assert StandIn.calls[-20:] == [64] * 20
        assert post(client, [[1, 2]] * 65).json()["error"]["code"] == "too_many_rows"


def test_expired_rows_leave_before_their_prediction(busy: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are counted, and what still waits is predicted."""
    before = {why: metric("worker_predictor_dropped_total", reason=why) for why in ("expired", "abandoned")}

    def dropped() -> dict[str, float]:
        return {why: metric("worker_predictor_dropped_total", reason=why) - before[why] for why in before}

    late = busy.wait([[1, 1]] * 3, **{"X-Request-Timeout": "300"})
    put_forward(busy.client, 300, monkeypatch)  # the request of the first row has more
    assert late.result().status_code == 504
    until(lambda: dropped() == {"expired": 3, "abandoned": 0}, LIMIT, "they were counted")
    waiting = busy.wait([[2, 2]])
    StandIn.gate.set()
    assert waiting.result().json()["predictions"] == [4]
    assert StandIn.calls == [1, 1]


def test_rows_of_a_client_that_left_are_not_predicted(tmp_path: Path) -> None:
    """A client that closes its connection while its rows wait frees their places, and they are counted."""
    settings = WorkerSettings(engine="fake", warmup_passes=False, drain_seconds=0, **pickled(tmp_path, StandIn()))
    dropped = metric("worker_predictor_dropped_total", reason="abandoned")
    with (
        listening(create_app(settings)) as url,
        ThreadPoolExecutor(1) as pool,
        httpx2.Client(base_url=url, timeout=LIMIT) as client,
    ):
        StandIn.calls.clear()
        StandIn.gate.clear()
        first = pool.submit(client.post, "/predict", json={"features": [[1, 2]]})
        until(lambda: StandIn.calls, LIMIT, "the first call")
        with closing(HTTPConnection(url.removeprefix("http://"), timeout=LIMIT)) as leaving:
            leaving.request("POST", "/predict", '{"features": [[1, 2], [3, 4]]}', {"Content-Type": "application/json"})
            until(lambda: metric(WAITING, lane="interactive") == 2, LIMIT, "the rows wait")
        until(lambda: metric(WAITING, lane="interactive") == 0, LIMIT, "they left the queue")
        assert metric("worker_predictor_dropped_total", reason="abandoned") == dropped + 2
        StandIn.gate.set()
        assert first.result().status_code == 200
    assert StandIn.calls == [1]


def test_a_bulk_call_lets_others_go_first(busy: Busy) -> None:
    """The lane of a call is what it asks for."""
    waited = metric("worker_predictor_queue_seconds_count", lane="bulk")
    bulk = busy.ask([[1, 1]], **{"X-Priority": "bulk"})
    until(lambda: metric(WAITING, lane="bulk") == 1, LIMIT, "the bulk row waits")
    StandIn.gate.set()
    assert bulk.result().status_code == 200
    assert metric("worker_predictor_queue_seconds_count", lane="bulk") == waited + 1


@pytest.mark.parametrize(
    "error", [RuntimeError("broken"), ValueError("broken"), MemoryError(), SystemExit(1)], ids=repr
)
def test_a_broken_estimator_leaves_the_balancer_and_comes_back(
    tmp_path: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the row of its proof fails, too, no caller's row is blamed, and it is unready until that succeeds."""
    with predicting(pickled(tmp_path, StandIn()), **SOON) as client:
        monkeypatch.setattr(StandIn, "broken", error)
        assert post(client, [[1, 2]]).json()["error"]["code"] == "unavailable"
        until(lambda: client.get("/readyz").status_code == 503, LIMIT, "it is unready")
        assert "[-]predictor failed: degraded: predictions fail:" in client.get("/readyz?verbose").text
        assert post(client, [[1, 2]]).json()["error"]["code"] == "dependency_unavailable"
        monkeypatch.setattr(StandIn, "broken", None)
        until(lambda: client.get("/readyz").status_code == 200, LIMIT, "it is ready")
        assert post(client, [[1, 2]]).json()["predictions"] == [3]


def test_a_stuck_prediction_leaves_the_balancer(busy: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than any request may take: who waits is told, and the replica is unready until it ends."""
    put_forward(busy.client, 601, monkeypatch)
    assert busy.first.result().status_code in (503, 504)
    until(lambda: busy.client.get("/readyz").status_code == 503, LIMIT, "it is unready")
    assert "a prediction has been running for" in busy.client.get("/readyz?verbose").text
    StandIn.gate.set()
    until(lambda: busy.client.get("/readyz").status_code == 200, LIMIT, "it is ready")


def test_predictions_are_counted(tmp_path: Path) -> None:
    """Rows, calls and seconds; the estimator and its start."""
    with predicting(pickled(tmp_path, StandIn())) as client:
        before = {
            name: metric(f"worker_predictor_{name}") for name in ("rows_total", "batch_rows_count", "seconds_count")
        }
        assert post(client, [[1, 2]] * 5).status_code == 200
        after = {name: metric(f"worker_predictor_{name}") for name in before}
        labels: dict[str, Any] = {"predictor": "estimator", "features": "2"}
        sha256 = client.get("/model").json()["predictor"]["sha256"]
        assert metric("worker_predictor_info", sha256=sha256, **labels) == 1
        assert metric("worker_predictor_startup_seconds", phase="load") > 0
    assert [after[name] - before[name] for name in before] == [5, 1, 1]


def test_the_table_has_every_metric(tmp_path: Path) -> None:
    """docs/observability.md has those that come with an estimator, with type and labels; none is stale."""
    row = re.compile(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\| worker with `PREDICTOR` \| ", re.MULTILINE)
    rows = row.findall((REPOSITORY / "docs" / "observability.md").read_text())
    documented = {(name, kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    with predicting(pickled(tmp_path, StandIn())) as client:
        assert post(client, [[1, 2]]).status_code == 200
        exported = {
            (
                f"{family.name}_total" if family.type == "counter" else family.name,
                family.type,
                frozenset({label for sample in family.samples for label in sample.labels} - {"le"}),
            )
            for family in REGISTRY.collect()
            if family.name.startswith("worker_predictor_")
        }
    assert exported == documented
