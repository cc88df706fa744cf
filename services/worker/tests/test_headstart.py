"""A new process reads the model first, once, on the thread that will embed, and imports the web framework then."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from warmstart import Fatal
from worker import headstart
from worker.loading import Loaded, load
from worker.settings import WorkerSettings

START = """
import json, sys
from worker import loading, headstart
load, seen = loading.load, []
def watched(settings):
    loaded = load(settings)
    seen.append("fastapi" in sys.modules)
    return loaded
loading.load = watched
app = headstart.create_app()
_, begun = headstart.take()
print(json.dumps({"imported by then": seen, "title": app.title, "engine": begun.result(20).loaded.engine.name}))
"""


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No load of one test reaches the next."""
    yield
    headstart.take()


def test_what_was_begun_is_taken_once() -> None:
    """The first taker gets a warm engine with its thread; the next one gets a thread of its own and nothing else."""
    headstart.begin(WorkerSettings(engine="fake"))
    _, begun = headstart.take()
    assert begun
    assert begun.result(timeout=10).loaded.engine.name == "fake"
    assert headstart.take()[1] is None


@pytest.mark.parametrize("warmup", ["lazy", "blocking"])
def test_other_ways_to_warm_up_have_none(warmup: str) -> None:
    """They exist to be measured against."""
    headstart.begin(WorkerSettings(engine="fake", warmup=warmup))
    assert headstart.take()[1] is None


def test_the_framework_waits_for_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """What gunicorn calls gives the application, which is imported when the model has been read."""
    monkeypatch.setenv("ENGINE", "fake")
    done = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told == {"imported by then": [False], "title": "Warmstart worker", "engine": "fake"}


def test_a_slow_load_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its second the application is imported whether or not the model is there: probes want an answer."""
    read = threading.Event()

    def slow(settings: WorkerSettings) -> Loaded:
        assert read.wait(10), "begin waited for the whole load"
        return load(settings)

    monkeypatch.setattr("worker.loading.load", slow)
    monkeypatch.setattr(headstart, "ALONE_SECONDS", 0.05)
    headstart.begin(WorkerSettings(engine="fake"))
    _, begun = headstart.take()
    assert begun
    assert not begun.done()
    read.set()
    assert begun.result(timeout=10).loaded.engine.name == "fake"


def test_a_load_that_fails_is_the_takers() -> None:
    """It is said where it is waited for, not where it was begun."""
    headstart.begin(WorkerSettings(engine="onnx", embedding_model="no/such/model"))
    _, begun = headstart.take()
    assert begun
    with pytest.raises(Fatal, match="no/such/model"):
        begun.result(timeout=10)
