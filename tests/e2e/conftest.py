"""One system of each kind for all end-to-end tests: real model, real Postgres, real Valkey, on free ports."""

from collections.abc import Iterator

import pytest

from stack import ComposeStack, EmbeddedStack, Stack, free_ports

KINDS = [
    pytest.param(EmbeddedStack, id="embedded"),
    pytest.param(ComposeStack, id="compose", marks=pytest.mark.engine),
]
SETTINGS = {"DRAIN_SECONDS": "3"}  # of all settings only this is none of the defaults: every stop takes so long


@pytest.fixture(scope="session", params=KINDS)
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Up once for all tests of its kind; a test that breaks a part mends it."""
    stack: EmbeddedStack | ComposeStack = request.param(
        tmp_path_factory.mktemp("stack"), free_ports(), environment=SETTINGS
    )
    try:
        stack.up()
        yield stack
    finally:
        stack.discard()


@pytest.fixture
def api(stack: Stack) -> int:
    """The api's port."""
    return int(stack.url("api").rsplit(":", 1)[1])


@pytest.fixture
def worker(stack: Stack) -> int:
    """The worker's port."""
    return int(stack.url("worker").rsplit(":", 1)[1])
