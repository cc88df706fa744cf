"""A drill whose fault reaches further than its row says, on a real stack."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from drills import report
from drills.drill import Drill
from drills.matrix import ROWS
from drills.options import Options
from drills.system import BASE, System
from stack import EmbeddedStack, free_ports

[STOPPED] = [row for row in ROWS if row.name == "postgres_stopped"]


@pytest.fixture
def drill(tmp_path: Path) -> Drill:
    """Postgres is stopped, and no stream may suffer from it."""
    stack = EmbeddedStack(tmp_path / "stack", free_ports(), environment={**BASE, "ENGINE": "fake"})
    options = Options(1000, 1, tmp_path / "report", abort_after=5)
    row = replace(STOPPED, radius=())
    return Drill(row, System(stack, "embedded"), options, options.reports / "rows", 1, controlled=False)


def test_a_drill_that_harms_others_is_rolled_back(drill: Drill, tmp_path: Path) -> None:
    """It ends long before its time, everything is ready again, and each report says that it was aborted and why."""
    with drill.stack:
        with drill:
            drill.load("search", "api_repeated")
            drill.go(0.1)
            with drill.fault(lambda: drill.stack.start("postgres")):
                drill.stack.stop("postgres")
                drill.hold(120)
        assert [status.part for status in drill.stack.status() if not status.ready] == []
    result = drill.result
    assert (result.verdict, result.good, result.violations) == ("aborted", False, [])
    assert len(result.windows) == 1
    reason = result.aborted
    assert "requests outside the blast radius failed" in reason
    assert "x search: 503 dependency_unavailable" in reason
    assert "api_repeated" not in reason
    report.write([result], Options(1000, 1, tmp_path))
    [summary] = json.loads((tmp_path / "summary.json").read_text())["drills"]
    assert (summary["verdict"], summary["aborted"]) == ("aborted", reason)
    page = (tmp_path / "index.html").read_text()
    assert f"<dt>aborted<dd>{reason}" in page
    _, line = report.table([result])
    assert "aborted" in line
    assert reason in line
    assert reason in report.failure(result)
    assert report.one_line(result).startswith("aborted: ")
