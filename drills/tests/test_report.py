"""The report of made-up results."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from drills.ledger import Ledger
from drills.options import Options
from drills.report import failure, left_out, one_line, table, totals, write
from drills.result import Result, figure
from drills.timeline import svg


@pytest.fixture
def results() -> list[Result]:
    """A drill that held, and a control that passed."""
    ledger = Ledger(sent=100, ok=97, failed={"503 overloaded": 3}, waited=1, late=0, p50=2.0, p99=9.0, slowest=12.5)
    held = Result("killed", "Nothing <is> lost.", "SIGKILL", "embedded", "fake", 1, ledger=ledger, recovery=0.4)
    held.windows = [(1.0, 2.0)]
    held.tracks = {"api": {"/readyz": [(0.0, "200"), (1.0, "none"), (1.5, "503"), (2.0, "200")]}}
    held.buckets = [(0.0, 25, 0, 0, 0), (0.25, 20, 1, 2, 2)]
    passed = Result("killed", "Nothing <is> lost.", "SIGKILL", "embedded", "fake", 1, "the retry", "clients", "passed")
    return [held, passed]


def test_the_page_stands_alone(results: list[Result], tmp_path: Path) -> None:
    """A figure for each result, text escaped, nothing loaded from elsewhere."""
    write(results, Options(100, 1, tmp_path))
    page = (tmp_path / "index.html").read_text()
    assert page.count("<svg") == 2
    assert "Nothing &lt;is&gt; lost." in page
    assert "{{" not in page
    assert not any(f'{attribute}="http' in page for attribute in ("src", "href"))


def test_the_figures_are_well_formed(results: list[Result]) -> None:
    """And their ids differ, so that they can stand on one page."""
    first, second = (ET.fromstring(svg(result)) for result in results)
    ids = [{each.get("id") for each in tree.iter()} - {None} for tree in (first, second)]
    assert ids[0].isdisjoint(ids[1])


def test_the_figures_keep_their_colours(results: list[Result]) -> None:
    """What is told apart from other figures is ids, and the references to them."""
    drawn = svg(results[0])
    colours = re.findall(r"(?:fill|stroke): #([^;\"]+)", drawn)
    assert {"58a868", "c62828", "7b61c4"} <= set(colours)
    assert all(re.fullmatch("[0-9a-f]{6}", colour) for colour in colours)
    ids = set(re.findall(r'id="([^"]+)"', drawn))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', drawn)) <= ids


def test_the_summary_has_everything(results: list[Result], tmp_path: Path) -> None:
    """What was counted, and how many are not as they must be."""
    write(results, Options(100, 1, tmp_path))
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["stack"], summary["as they must be"], summary["not so"]) == ("embedded", 1, 1)
    assert summary["drills"][0]["ledger"]["failed"] == {"503 overloaded": 3}


def test_what_could_not_be_run_is_not_left_out(results: list[Result], tmp_path: Path) -> None:
    """The page, the summary and the terminal say which drills they are, and why."""
    skipped = {"disk_full": "a small disk takes <root>"}
    write(results, Options(100, 1, tmp_path), skipped)
    assert json.loads((tmp_path / "summary.json").read_text())["not run"] == skipped
    page = (tmp_path / "index.html").read_text()
    assert "1 of 2 as they must be; 1 could not be run here." in page
    assert "<td>disk full</td><td>not run</td><td colspan=6>a small disk takes &lt;root&gt;</td>" in page
    [line] = left_out(skipped)
    assert line.split() == ["disk_full", "not", "run", "a", "small", "disk", "takes", "<root>"]


def test_what_never_came_is_no_number(results: list[Result], tmp_path: Path) -> None:
    """Readers of JSON other than Python's refuse an infinite one; and no answer took 0 ms."""
    assert (figure(0.12345), figure(float("inf")), figure(3), figure("a, b")) == (0.123, "no answer", 3, "a, b")
    refused = Ledger(sent=3, ok=0, failed={"reset": 3}, waited=0, late=0, p50=None, p99=None, slowest=None)
    results[0] = replace(results[0], ledger=refused, measures={"slowest_answer": figure(float("inf"))})
    write(results, Options(100, 1, tmp_path))
    summary = json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail)
    assert summary["drills"][0]["measures"] == {"slowest_answer": "no answer"}
    assert "<dt>latency<dd>no answer" in (tmp_path / "index.html").read_text()
    results[0].measures = {"slowest_answer": float("inf")}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(results, Options(100, 1, tmp_path))


def test_runs_are_added_up(results: list[Result]) -> None:
    """Requests and failures of a drill's runs, and the range of its recovery; controls don't count."""
    again = replace(results[0], run=2, recovery=1.0)
    assert totals([results[0], again, results[1]]) == {
        "killed": {"runs": 2, "sent": 200, "ok": 194, "failed": {"503 overloaded": 6}, "recovery": [0.4, 0.7, 1.0]}
    }
    never = replace(results[0], recovery=None)
    assert totals([never, again])["killed"]["recovery"] == [1.0, 1.0, 1.0]
    assert totals([never])["killed"]["recovery"] is None


def test_the_terminal_says_it_too(results: list[Result]) -> None:
    """One line for each, and for a control that passed what it should have violated."""
    head, held, passed = table(results)
    assert len(head.split()) == 9
    assert "3 x 503 overloaded" in held
    assert "passed" in passed
    assert one_line(results[0]) == "held: 97 of 100 ok, recovered after 0.4 s"
    assert "without the retry, it must violate: clients" in failure(results[1])


@pytest.mark.parametrize("name", ["REQUESTS", "RUNS", "ABORT_AFTER", "DOCUMENTS", "ENOUGH"])
@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_options_are_positive_numbers(name: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Anything else ends the run, and the line names the variable."""
    with pytest.raises(SystemExit):
        Options.of({name: value})
    assert capsys.readouterr().err.startswith(f"{name}={value}: ")


def test_options_have_defaults() -> None:
    """Also where make hands on empty variables."""
    assert Options.of({"REQUESTS": "", "RUNS": "3"}) == Options(1000, 3, Path("reports/drills"), 20)
