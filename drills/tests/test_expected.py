"""Expected answers of probes against what was seen."""

import pytest

from drills.expected import matches


@pytest.mark.parametrize(
    ("expected", "seen", "holds"),
    [
        ("200", ["200"], True),
        ("200", ["200", "503", "200"], False),
        ("200", [], False),
        ("(none) 503 200", ["none", "503", "200"], True),
        ("(none) 503 200", ["503", "200"], True),
        ("(none) 503 200", ["200"], False),
        ("200 (none) 503 200", ["200", "503", "none", "200"], False),
        ("never 200", ["none", "503"], True),
        ("never 200", ["none", "200"], False),
        ("any", ["none", "200"], True),
    ],
)
def test_answers_in_their_order(expected: str, seen: list[str], holds: bool) -> None:
    """Only what is in parentheses may be missing, and nothing may be added."""
    assert matches(expected, seen) is holds
