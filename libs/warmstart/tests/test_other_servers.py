"""docs/lifecycle.md, rule 4: under another server a process is warm before it serves, and doesn't drain."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from stack.port_claims import free_ports
from stack.waiting import until
from tests.harness.http import outcome
from tests.harness.sample import Start, World

APPS = Path(__file__).parent / "apps"
LIMIT = 20.0  # seconds, far below any pause or load of these tests

Serve = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def port() -> int:
    """Where uvicorn listens."""
    return free_ports()["api"]


@pytest.fixture
def uvicorn(world: World, port: int) -> Iterator[Serve]:
    """`uvicorn(NAME="value")` runs the sample as a developer would."""
    with ExitStack() as running:

        def serve(**env: object) -> "subprocess.Popen[bytes]":
            command = [sys.executable, "-m", "uvicorn", "--factory", "sample:create_app", "--port", str(port)]
            settings = {name: str(value) for name, value in {"WORLD": world.folder, **env}.items()}
            process = subprocess.Popen(command, cwd=APPS, env={**os.environ, **settings})
            running.callback(process.wait)
            running.callback(process.kill)
            return process

        yield serve


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_developer_waits_for_no_drain(uvicorn: Serve, port: int, number: int) -> None:
    """Ctrl-C and `--reload` end a ready process at once, however long it would drain in a pod."""
    process = uvicorn(DRAIN_SECONDS=3600)
    until(lambda: outcome(port, "/readyz") == 200, LIMIT, "readiness")
    process.send_signal(number)
    process.wait(LIMIT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_developer_waits_for_no_load(uvicorn: Serve, world: World, number: int) -> None:
    """A process that warms ends at once, without waiting for its start as uvicorn would; open resources are closed."""
    world.model(3600)
    process = uvicorn(STARTUP_TIMEOUT=3600)
    until(lambda: "open database" in world.trace(), LIMIT, "an open database")
    process.send_signal(number)
    assert process.wait(LIMIT) == 0
    assert "close database" in world.trace()


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_background_work_finds_everything_open(world: World, uvicorn: Serve, start: Start, server: str) -> None:
    """Spawned in the lifespan, which gunicorn enters while the model still loads, it begins when the model is open."""
    world.model(0.5)
    _ = uvicorn(BACKGROUND=1) if server == "uvicorn" else start(BACKGROUND=1)
    until(lambda: "watch with model" in world.trace(), LIMIT, "background work", world.trace)
    assert world.trace().index("open model") < world.trace().index("watch with model")


def test_dead_background_work_ends_the_process(world: World, uvicorn: Serve) -> None:
    """The process exits with status 1, so that its supervisor starts another."""
    process = uvicorn(BACKGROUND=1, DRAIN_SECONDS=3600)
    world.up("poison")
    assert process.wait(LIMIT) == 1
    assert "close model" in world.trace()
