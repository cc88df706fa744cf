"""A new process loads the model first, once, on the thread that will embed, and imports the web framework then."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial

import pytest
from fastapi.testclient import TestClient

from warmstart import Fatal
from worker import asgi
from worker.app import create_app
from worker.loading import Begun, Loaded, begin, load
from worker.resources import model_resource
from worker.settings import WorkerSettings

START = """
import json, sys
from worker import asgi
asgi.ALONE_SECONDS = 60  # a slow machine may take longer than the second
begin, seen = asgi.begin, []
def watched(settings):
    begun = begin(settings)
    begun.loaded.add_done_callback(lambda _: seen.append("fastapi" in sys.modules))
    return begun
asgi.begin = watched
print(json.dumps({"title": asgi.create_app().title, "imported by then": seen}))
"""


class Loads:
    """Loads the fake engine, and remembers on which thread; the first `failing` ones fail."""

    def __init__(self, failing: int = 0) -> None:
        self.on: list[str] = []
        self._failing = failing

    def __call__(self, settings: WorkerSettings) -> Loaded:
        self.on.append(threading.current_thread().name)
        if len(self.on) <= self._failing:
            raise OSError("not this time")
        return load(settings)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Begun]]:
    """What `asgi` has begun, with ENGINE=fake."""
    made: list[Begun] = []

    def watched(settings: WorkerSettings) -> Begun:
        made.append(begin(settings))
        return made[-1]

    monkeypatch.setenv("ENGINE", "fake")
    monkeypatch.setenv("DRAIN_SECONDS", "0")
    monkeypatch.setattr(asgi, "begin", watched)
    yield made
    for each in made:
        each.thread.shutdown()


def test_the_framework_waits_for_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """What gunicorn calls gives the application, which is imported when the model has been loaded."""
    monkeypatch.setenv("ENGINE", "fake")
    done = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"title": "Warmstart worker", "imported by then": [False]}


def test_the_application_serves_what_was_begun(begun: list[Begun]) -> None:
    """The lifespan takes the load that is under way: there is no second one."""
    with TestClient(asgi.create_app()) as client:
        assert client.get("/model").json()["engine"] == "fake"
        [first] = begun
        assert client.post("/embeddings/", json={"texts": ["a"]}).status_code == 200
    assert first.thread.closed


@pytest.mark.parametrize("warmup", ["lazy", "blocking"])
def test_other_ways_to_warm_up_begin_nothing(monkeypatch: pytest.MonkeyPatch, begun: list[Begun], warmup: str) -> None:
    """They exist to be measured against."""
    monkeypatch.setenv("WARMUP", warmup)
    with TestClient(asgi.create_app()) as client:
        assert client.post("/embeddings/", json={"texts": ["a"]}).status_code == 200
    assert begun == []


def test_a_slow_load_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its second the application is imported whether or not the model is there: probes want an answer."""
    read = threading.Event()

    def slow(settings: WorkerSettings) -> Loaded:
        assert read.wait(10), "the application waited for the whole load"
        return load(settings)

    monkeypatch.setattr(asgi, "begin", partial(begin, load=slow))
    monkeypatch.setattr(asgi, "ALONE_SECONDS", 0.05)
    monkeypatch.setenv("ENGINE", "fake")
    monkeypatch.setenv("DRAIN_SECONDS", "0")
    app = asgi.create_app()
    read.set()
    with TestClient(app) as client:
        assert client.get("/model").json()["engine"] == "fake"


def test_a_load_that_fails_is_its_takers() -> None:
    """It is said where it is waited for, not where it was begun."""
    failing = begin(WorkerSettings(engine="onnx", embedding_model="no/such/model"))
    for future in (failing.loaded, failing.warm):
        with pytest.raises(Fatal, match="no/such/model"):
            future.result(timeout=10)


def test_a_load_that_failed_is_begun_anew() -> None:
    """The next attempt to open the model is a load of its own, on a thread of its own; so is that of the next start."""
    settings, loads = WorkerSettings(engine="fake", drain_seconds=0), Loads(failing=2)
    first = begin(settings, loads)
    app = create_app(settings, [model_resource(loads, first)])
    for number in (3, 4):
        with TestClient(app) as client:
            assert client.get("/readyz").status_code == 200
        assert loads.on == ["inference"] * number
    assert first.thread.closed
