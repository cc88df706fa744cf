"""Daemons and stacks that nothing else on this machine gets in the way of, gone after the test."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGTERM

import pytest

from stack import EmbeddedStack, free_ports, until
from stack.daemon import Command, Daemon

RunPython = Callable[[str], Daemon]


@pytest.fixture
def run_python(tmp_path: Path) -> Iterator[RunPython]:
    """Starts a daemon that runs some Python, and returns it when it has printed a line."""
    daemons: list[Daemon] = []

    def run(code: str) -> Daemon:
        daemon = Daemon(f"daemon-{len(daemons)}", tmp_path, tmp_path / f"{len(daemons)}.log")
        daemons.append(daemon)
        daemon.start(Command((sys.executable, "-uc", code), {}), port=1)
        until(daemon.logs, 10, f"first line of {daemon.name}")
        return daemon

    yield run
    for daemon in daemons:
        daemon.stop(SIGTERM, grace=0)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """PostgreSQL and Valkey of a module's own, up."""
    root = tmp_path_factory.mktemp("stores")
    with EmbeddedStack(root, free_ports(), parts=("postgres", "valkey")) as stack:
        yield stack
