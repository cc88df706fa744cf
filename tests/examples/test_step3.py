"""Step 3: the event loop stays free, and a model that gives nonsense takes its process out of service."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from stack.http import FAILURES
from stack.waiting import until
from tests.examples.conftest import Serve
from tests.examples.servers import Server, Way
from tests.harness import Watch

APP = "step3_model:app"


def predict_for_long(server: Server) -> None:
    """Until the server is gone."""
    with suppress(*FAILURES):
        server.post("/predict", [3600, 1], timeout=3600)


def test_probes_are_answered_while_the_model_works(serve: Serve) -> None:
    """A prediction that takes seconds delays no probe: it runs on a thread of its own."""
    server = serve(APP, HEALTH_TIMEOUT=30, REQUEST_TIMEOUT=60).wait_ready()
    working = threading.Thread(target=predict_for_long, args=(server,), daemon=True)
    working.start()
    in_progress = b'\nhttp_server_active_requests{http_request_method="POST"} 1.0\n'
    until(lambda: in_progress in server.get("/metrics").body, 30, "a prediction")
    assert {server.get("/livez").status for _ in range(20)} == {200}
    assert working.is_alive()


def test_load_alone_makes_no_process_unready(serve: Serve) -> None:
    """While predictions take longer than HEALTH_TIMEOUT one after the other, and succeed, `/readyz` stays 200."""
    server = serve(APP, HEALTH_TIMEOUT=0.1).wait_ready()
    with Watch(server.port, "/readyz") as watch, ThreadPoolExecutor(6) as callers:
        answers = list(callers.map(lambda _: server.post("/predict", [0.5, 1]).status, range(18)))
    assert answers == [200] * 18
    assert watch.answers == [200]


def test_a_broken_model_makes_its_process_unready_until_it_heals(serve: Serve, tmp_path: Path) -> None:
    """While known rows come out wrong, `/readyz` and predictions are 503 and `/livez` 200; then all is well again."""
    server = serve(APP).wait_ready()
    (tmp_path / "model-broken").touch()
    server.wait_for("/readyz", 503)
    until(lambda: server.post("/predict", [0, 1]).status == 503, 30, "a typed refusal")
    assert server.get("/livez").status == 200
    (tmp_path / "model-broken").unlink()
    server.wait_ready()
    until(lambda: server.post("/predict", [0, 1]).status == 200, 30, "a healed model")


def test_a_model_that_does_not_heal_is_replaced(serve: Serve, way: Way, tmp_path: Path) -> None:
    """After HEAL_TIMEOUT the process drains and ends with 1; gunicorn starts another one in its place."""
    server = serve(APP, HEAL_TIMEOUT=0.5).wait_ready()
    before = set(server.workers())
    (tmp_path / "model-broken").touch()
    server.wait_for_log("did not heal within 0.5 s")
    (tmp_path / "model-broken").unlink()
    if way is Way.UVICORN:
        assert server.wait_exit() == 1
    else:
        until(lambda: before - set(server.workers()), 60, "a replaced process")
        server.wait_ready()
