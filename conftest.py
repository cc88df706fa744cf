"""Tests that need a tool of the host: run, left out with one line that says so, or where it is required an error."""

import os
import shutil
import signal
from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import pytest

from k8s.tests import rendering
from stack import docker
from stack.environment import inherited


class Tool(NamedTuple):
    """What a marker stands for; `silence` says why it can't be used, in one line, or nothing."""

    needs: str
    tests: str
    required_by: str
    silence: Callable[[], str]


def no_torch() -> str:
    """It is there for Python 3.11; serving never needs it."""
    return "" if find_spec("torch") else "torch is not installed (make test-python)"


def no_browser() -> str:
    """Debian's, since Playwright's own would be another download."""
    if not find_spec("playwright") or not find_spec("axe_playwright_python"):
        return "playwright is not installed (make install-dev)"
    return "" if shutil.which("chromium") else "no chromium is installed (on Debian: apt install chromium)"


def no_prometheus() -> str:
    """Debian's package has both programs."""
    found = all(map(shutil.which, ("prometheus", "promtool")))
    return "" if found else "no Prometheus is installed (on Debian: apt install prometheus)"


TOOLS = {
    "engine": Tool("a Docker engine with compose", "container tests", "REQUIRE_ENGINE", docker.silence),
    "kubectl": Tool(
        "a kubectl that renders kustomizations", "tests of manifests", "REQUIRE_KUBECTL", rendering.silence
    ),
    "prometheus": Tool("Prometheus and promtool", "tests of dashboard and alerts", "REQUIRE_PROMETHEUS", no_prometheus),
    "browser": Tool("chromium and playwright", "tests of the page", "REQUIRE_CHROMIUM", no_browser),
    "reference": Tool("torch and the model's weights", "tests of the reference engine", "REQUIRE_TORCH", no_torch),
}
LEFT_OUT = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known, and SIGINT work, which a shell's background jobs, and all their children, ignore."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[LEFT_OUT] = []
    for name in {"HOST", "PORT"} | set(os.environ) - set(inherited()):  # of this shell, meant for other programs
        os.environ.pop(name, None)
    for marker, tool in TOOLS.items():
        config.addinivalue_line("markers", f"{marker}: needs {tool.needs}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what can't run here."""
    for marker, tool in TOOLS.items():
        needing = [item for item in items if item.get_closest_marker(marker)]
        reason = tool.silence() if needing else ""
        if reason and os.environ.get(tool.required_by):
            raise pytest.UsageError(f"{tool.required_by}: {tool.tests} can't run: {reason}")
        if reason:
            config.hook.pytest_deselected(items=needing)
            items[:] = [item for item in items if item not in needing]
            config.stash[LEFT_OUT].append(f"{len(needing)} {tool.tests} did not run: {reason}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line each."""
    for line in config.stash[LEFT_OUT]:
        terminalreporter.write_line(line, yellow=True)
