"""The matrix, the scenarios and the document say the same."""

import ast
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from drills import controls
from drills.document import FILE, document
from drills.matrix import ROWS
from drills.row import Row
from drills.system import needed
from drills.watch import PATHS
from loadtest.openloop import Row as Request

SCENARIOS = Path(__file__).parents[1] / "scenarios"
PROOFS = {sign for file in SCENARIOS.glob("*.py") for sign in re.findall(r"\.prove\(\s*\"([^\"]+)", file.read_text())}


def test_the_document_is_made_from_the_matrix() -> None:
    """docs/drills.md has the table that `python -m drills` writes."""
    assert FILE.read_text() == document()


def test_each_field_of_the_ledger_is_documented() -> None:
    """A row of the page's table names it."""
    named = {
        name
        for cell in re.findall(r"^\| (`.*?) \|", FILE.read_text(), re.MULTILINE)
        for name in re.findall(r"\w+", cell)
    }
    assert {field.name for field in fields(Request)} <= named


def test_each_row_has_its_scenario() -> None:
    """One function for each row, and no row without one."""
    trees = [ast.parse(file.read_text()) for file in SCENARIOS.glob("test_*.py")]
    found = [node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert sorted(name for name in found if name.startswith("test_")) == sorted(f"test_{row.name}" for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_claim_is_one_sentence(row: Row) -> None:
    """It is the drill's title."""
    assert row.claim.endswith(".")
    assert ". " not in row.claim


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("kind", ["embedded", "compose", "kubernetes"])
def test_a_row_names_signs_that_can_be_seen(row: Row, kind: str) -> None:
    """Failed requests, a probe, a replaced process of a watched service, or what its scenario proves."""
    there = row.on(kind)
    seen = {"clients", *PROOFS}
    seen |= {f"{part} {sign}" for part in there.probes for sign in (*PATHS, "restarts")}
    assert there.bites
    assert set(there.bites) <= seen
    assert there.control is None or set(there.control.bites or ()) <= set(there.bites)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("kind", ["embedded", "compose", "kubernetes"])
def test_a_row_that_lets_requests_fail_names_their_streams(row: Row, kind: str) -> None:
    """And one that lets none fail names no stream; each is one that a scenario sends."""
    there = row.on(kind)
    assert bool(there.radius) == bool(there.clients or there.in_flight)
    sent = {name for file in SCENARIOS.glob("*.py") for name in re.findall(r"[\":](\w+)\"", file.read_text())}
    assert set(there.radius) <= sent


def test_what_a_drill_needs_before_it_begins_depends_on_its_settings() -> None:
    """Drills without settings of their own need the same; a control needs other ones, another engine, too."""
    known = {row.name: row for row in ROWS}
    stopped, paused = known["postgres_stopped"], known["redis_paused"]
    assert needed(stopped, False) == needed(paused, False) != needed(stopped, True)
    assert needed(stopped, True) == needed(known["postgres_paused"], True)
    assert needed(stopped, False) != needed(replace(stopped, engine="auto"), False)


@pytest.mark.parametrize("row", [row for row in ROWS if row.control], ids=lambda row: row.name)
def test_a_control_takes_something_away(row: Row) -> None:
    """By settings that the drill itself doesn't have, or by a function that exists."""
    assert row.control
    assert row.control.settings or row.control.patches
    for part, patch in row.control.patches.items():
        assert all(callable(getattr(controls, each)) for each in patch.split(",")), part
    for part, settings in row.control.settings.items():
        assert settings != row.settings.get(part)
