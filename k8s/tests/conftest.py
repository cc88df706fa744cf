"""Tests that need kubectl: run, left out with one line that says so, or with REQUIRE_KUBECTL an error."""

import os

import pytest

from k8s.tests.rendering import silence

LEFT_OUT = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "kubectl: needs a kubectl that renders kustomizations")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what can't run here."""
    needing = [item for item in items if item.get_closest_marker("kubectl")]
    reason = silence() if needing else ""
    if reason and os.environ.get("REQUIRE_KUBECTL"):
        raise pytest.UsageError(f"REQUIRE_KUBECTL: manifests can't be rendered: {reason}")
    if reason:
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in needing]
        config.stash[LEFT_OUT] = f"{len(needing)} tests of manifests did not run: {reason}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The one line."""
    if LEFT_OUT in config.stash:
        terminalreporter.write_line(config.stash[LEFT_OUT], yellow=True)
