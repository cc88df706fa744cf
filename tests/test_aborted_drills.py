"""When drills end, on a real stack: whose fault reaches further than its row says, a control, and a slow recovery."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from drills import report
from drills.drill import Drill
from drills.matrix import ROWS
from drills.options import Options
from drills.result import Result
from drills.row import Control, Row
from drills.system import BASE, System
from stack import EmbeddedStack, free_ports

[STOPPED] = [row for row in ROWS if row.name == "postgres_stopped"]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A stack that both use."""
    folder = tmp_path_factory.mktemp("stack")
    with EmbeddedStack(folder, free_ports(), environment={**BASE, "ENGINE": "fake"}) as stack:
        yield System(stack, "embedded")


def without_postgres(row: Row, system: System, folder: Path, *, controlled: bool) -> Result:
    """What two minutes without Postgres come to, after which everything is ready again."""
    options = Options(1000, 1, folder, abort_after=5)
    drill = Drill(row, system, options, folder / "rows", 1, controlled=controlled)
    with drill:
        drill.load("search", "api_repeated")
        drill.go(0.1)
        with drill.fault(lambda: drill.stack.start("postgres")):
            drill.stack.stop("postgres")
            drill.hold(120)
    assert [status.part for status in drill.stack.status() if not status.ready] == []
    return drill.result


def test_a_drill_that_harms_others_is_rolled_back(system: System, tmp_path: Path) -> None:
    """It ends long before its time, everything is ready again, and each report says that it was aborted and why."""
    result = without_postgres(replace(STOPPED, radius=()), system, tmp_path / "report", controlled=False)
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


def test_a_control_ends_when_it_has_failed_as_it_must(system: System, tmp_path: Path) -> None:
    """It ends long before its time, everything is ready again, and it has violated nothing but what it must."""
    row = replace(STOPPED, clients=(), control=Control("a Postgres that stays", breaks="clients"))
    result = without_postgres(row, system, tmp_path / "report", controlled=True)
    assert result.verdict == "failed as it must"
    assert [fact for fact, _ in result.violations] == ["clients"]
    assert result.seconds < 100


def test_a_drill_sends_until_it_has_recovered(system: System, tmp_path: Path) -> None:
    """Searches are refused when the fault is over and the load could end: it goes on until one is answered."""
    drill = Drill(STOPPED, system, Options(1000, 1, tmp_path), tmp_path / "rows", 1, controlled=False)
    with ThreadPoolExecutor(1) as thread, drill:
        drill.load("search", "api_repeated")
        with drill.fault():
            drill.stack.stop("postgres")
            drill.prove("it is lost", holds=True)
        end = drill.fault_times[1]
        drill.until("searches are refused", lambda: any(row.scheduled > end and row.code for row in drill.rows()), 30)
        thread.submit(drill.stack.start, "postgres")
        drill.finish()
    assert (drill.result.verdict, drill.result.violations) == ("held", [])
    assert drill.result.recovery
