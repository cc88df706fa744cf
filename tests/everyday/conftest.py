"""`run(LOAD_SECONDS=3)` starts the service under the server of the test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.everyday.world import Service, upstream

Run = Callable[..., Service]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Returns at once; what was started is ended after the test."""
    with ExitStack() as running:
        address = running.enter_context(upstream())

        def begin(server: str = "gunicorn", **options: Any) -> Service:
            return running.enter_context(Service(tmp_path, server, **{"UPSTREAM_URL": address, **options}))

        yield begin
