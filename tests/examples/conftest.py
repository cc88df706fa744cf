"""`serve("step1_lifecycle:app")` runs a step by each of the ways, one test after the other."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.examples.servers import Server, Way

Serve = Callable[..., Server]


@pytest.fixture(params=Way, ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    """uvicorn, gunicorn with one process, gunicorn with three."""
    found: Way = request.param
    return found


@pytest.fixture
def serve(way: Way, tmp_path: Path) -> Iterator[Serve]:
    """Returns at once; what was started is ended after the test."""
    with ExitStack() as running:

        def begin(app: str, *, plain: bool = False, **env: object) -> Server:
            return running.enter_context(Server(way, app, tmp_path, plain=plain, **env))

        yield begin
