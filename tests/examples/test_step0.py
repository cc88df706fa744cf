"""Step 0: what the textbook service does, and what the other steps are for."""

from pathlib import Path

from tests.examples.conftest import Serve
from tests.examples.servers import Way
from tests.harness import Watch

APP = "step0_textbook:app"


def test_no_probe_ever_says_that_the_service_is_not_ready(serve: Serve, way: Way) -> None:
    """While the model loads a probe is refused (uvicorn) or waits (gunicorn); the first answer is 200."""
    server = serve(APP, plain=True, LOAD_SECONDS=3)
    unanswered = "ConnectionRefusedError" if way is Way.UVICORN else "TimeoutError"
    server.wait_for("/readyz", unanswered)
    with Watch(server.port, "/readyz") as watch:
        server.wait_ready()
        watch.go_on()
    assert watch.answers == [200]


def test_a_database_that_comes_late_ends_the_service(serve: Serve, way: Way, tmp_path: Path) -> None:
    """The first failed attempt is the last one: all processes end, and so does the server."""
    server = serve(APP, plain=True, DATABASE=tmp_path / "later" / "predictions.db")
    assert server.wait_exit() in ({1, 3} if way is Way.PROCESSES else {3})  # gunicorn's master may crash over several


def test_sigterm_tells_nobody(serve: Serve) -> None:
    """The listener closes at once, and no client was told to leave before."""
    server = serve(APP, plain=True).wait_ready()
    assert server.post("/predict", [0, 1]).headers.get("connection") != "close"
    server.terminate()
    server.wait_for("/readyz", "ConnectionRefusedError")
