"""One system for all end-to-end tests: real model, real Postgres, real Valkey, on free ports."""

from collections.abc import Iterator

import pytest

from stack import EmbeddedStack, Stack, free_ports


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Up once for the whole session; a test that breaks a part mends it."""
    with EmbeddedStack(tmp_path_factory.mktemp("stack"), free_ports()) as stack:
        yield stack


@pytest.fixture
def api(stack: Stack) -> int:
    """The api's port."""
    return int(stack.url("api").rsplit(":", 1)[1])


@pytest.fixture
def worker(stack: Stack) -> int:
    """The worker's port."""
    return int(stack.url("worker").rsplit(":", 1)[1])
