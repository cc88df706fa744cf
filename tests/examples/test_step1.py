"""Step 1: probes are answered while the model loads, a late database is waited for, and the stop is a drain."""

from pathlib import Path

from tests.examples.conftest import Serve
from tests.examples.servers import FOR_EVER, SOME_TIME, Way
from tests.harness import Watch, outcome

APP = "step1_lifecycle:app"


def test_probes_are_answered_while_the_model_loads(serve: Serve, way: Way) -> None:
    """Under gunicorn `/livez` is 200, `/readyz` 503 and any route a 503 to retry; under uvicorn the port is closed."""
    server = serve(APP, LOAD_SECONDS=FOR_EVER)
    if way.binds_first:
        server.wait_for("/livez", 200)
        assert server.get("/readyz").status == 503
        refused = server.post("/predict", [0, 1])
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    else:
        server.wait_for_log("Waiting for application startup")
        assert outcome(server.port, "/livez") == "ConnectionRefusedError"


def test_readiness_comes_once(serve: Serve, way: Way) -> None:
    """`/readyz` goes from 503 to 200 once, however many processes load; under uvicorn its first answer is 200."""
    server = serve(APP, LOAD_SECONDS=SOME_TIME)
    with Watch(server.port, "/readyz") as watch:
        server.wait_ready()
        watch.go_on(20)
    assert watch.answers == ([503, 200] if way.binds_first else [200])
    assert server.post("/predict", [0, 1]).json() == {"prediction": 1, "count": 1}


def test_a_late_database_needs_no_restart(serve: Serve, tmp_path: Path) -> None:
    """Attempts go on until the database can be opened; then the service is ready."""
    folder = tmp_path / "later"
    server = serve(APP, DATABASE=folder / "predictions.db")
    server.wait_for_log("opening database failed")
    folder.mkdir()
    server.wait_ready()


def test_what_cannot_start_says_why_and_ends(serve: Serve, tmp_path: Path) -> None:
    """Past STARTUP_TIMEOUT one line names the resource and its error; the exit status is 3."""
    server = serve(APP, DATABASE=tmp_path / "never" / "predictions.db", STARTUP_TIMEOUT=2)
    assert server.wait_exit() == 3
    assert "database" in server.log
    assert "unable to open database file" in server.log


def test_the_stop_is_a_drain(serve: Serve, way: Way) -> None:
    """Under gunicorn every answer tells its client to leave until the listener closes; what was opened is closed."""
    server = serve(APP).wait_ready()
    server.terminate()
    if way.binds_first:
        server.wait_for("/readyz", 503)
        assert server.post("/predict", [0, 1]).headers["connection"] == "close"
        assert server.wait_exit() == 0
        assert server.log.count("closed database") == way.processes
    else:
        server.wait_exit()
