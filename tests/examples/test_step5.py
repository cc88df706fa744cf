"""Step 5: settings, an open page, FastAPI's own errors, a mounted application, several processes."""

import os
import signal

import pytest

from stack.waiting import until
from tests.examples.conftest import Serve
from tests.examples.servers import FOR_EVER, SOME_TIME, Way
from tests.harness import Watch

APP = "step5_whole:create_app()"


def test_a_page_that_is_named_is_shown_while_the_model_loads(serve: Serve, way: Way) -> None:
    """`open_paths` lets `/` pass the gate; any other route waits for readiness."""
    server = serve(APP, LOAD_SECONDS=FOR_EVER if way.binds_first else 0)
    server.wait_for("/", 200)
    if way.binds_first:
        assert server.get("/admin/count").status == 503


def test_a_mounted_application_reaches_the_database(serve: Serve) -> None:
    """Its routes get what the outer application opened."""
    server = serve(APP).wait_ready()
    assert server.post("/predict", [0, 1]).json() == 1
    assert server.get("/admin/count").json() == 1


def test_errors_are_fastapis_own(serve: Serve) -> None:
    """With `error_format="fastapi"` a detail stays what it was, here an object; the gate and probes stay."""
    refused = serve(APP, LARGEST=5).wait_ready().post("/predict", [0, 7])
    assert (refused.status, refused.json()) == (422, {"detail": {"reason": "out of range", "largest": 5}})


def test_a_setting_of_its_own_that_is_wrong_is_one_line(serve: Serve, way: Way) -> None:
    """Under gunicorn the start ends with status 3 and a line that names the setting."""
    if way is Way.UVICORN:
        pytest.skip("uvicorn imports the application itself, and shows a traceback")
    server = serve(APP, LARGEST=-1)
    assert server.wait_exit() == 3
    assert "LARGEST" in server.log
    assert "Traceback" not in server.log


def test_processes_answer_for_each_other(serve: Serve, way: Way) -> None:
    """`/startupz` lists all processes of the pod; one that is killed is replaced while the others keep it ready."""
    server = serve(APP, LOAD_SECONDS=SOME_TIME).wait_ready()
    assert len(server.get("/startupz").json()["processes"]) == way.processes
    if way is Way.PROCESSES:
        with Watch(server.port, "/readyz") as watch:
            os.kill(server.workers()[0], signal.SIGKILL)
            until(lambda: server.log.count("-> ready") == way.processes + 1, 60, "a replacement")
        assert watch.answers == [200]
