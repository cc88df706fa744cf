"""The report of made-up results."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from drills.ledger import Ledger
from drills.options import Options
from drills.report import failure, one_line, table, totals, write
from drills.result import Result
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


def test_runs_are_added_up(results: list[Result]) -> None:
    """Requests and failures of a drill's runs, and the range of its recovery; controls don't count."""
    again = replace(results[0], run=2, recovery=1.0)
    assert totals([results[0], again, results[1]]) == {
        "killed": {"runs": 2, "sent": 200, "ok": 194, "failed": {"503 overloaded": 6}, "recovery": [0.4, 0.7, 1.0]}
    }


def test_the_terminal_says_it_too(results: list[Result]) -> None:
    """One line for each, and for a control that passed what it should have violated."""
    head, held, passed = table(results)
    assert len(head.split()) == 9
    assert "3 x 503 overloaded" in held
    assert "passed" in passed
    assert one_line(results[0]) == "held: 97 of 100 ok, recovered after 0.4 s"
    assert "without the retry, it must violate: clients" in failure(results[1])


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_options_are_positive_numbers(value: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match=r"REQUESTS|invalid literal"):
        Options.of({"REQUESTS": value})


def test_options_have_defaults() -> None:
    """Also where make hands on empty variables."""
    assert Options.of({"REQUESTS": "", "RUNS": "3"}) == Options(1000, 3, Path("reports/drills"), 20)
