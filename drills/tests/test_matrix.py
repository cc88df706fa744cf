"""The matrix, the scenarios and the document say the same."""

import ast
from pathlib import Path

import pytest

from drills import controls
from drills.document import FILE, document
from drills.matrix import ROWS
from drills.row import Row

SCENARIOS = Path(__file__).parents[1] / "scenarios"


def test_the_document_is_made_from_the_matrix() -> None:
    """docs/drills.md has the table that `python -m drills` writes."""
    assert FILE.read_text() == document()


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


@pytest.mark.parametrize("row", [row for row in ROWS if row.control], ids=lambda row: row.name)
def test_a_control_takes_something_away(row: Row) -> None:
    """By settings that the drill itself doesn't have, or by a function that exists."""
    assert row.control
    assert row.control.settings or row.control.patches
    for part, patch in row.control.patches.items():
        assert callable(getattr(controls, patch)), part
    for part, settings in row.control.settings.items():
        assert settings != row.settings.get(part)
