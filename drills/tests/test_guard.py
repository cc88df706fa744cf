"""What ends a drill early, on rows that are written while it reads."""

from pathlib import Path

import pytest

from drills.guard import Aborted, Guard, Proof
from loadtest.openloop import Constant, Plan, Row, RowFile


def row(stream: str, status: int = 503) -> Row:
    """A request that was refused, or answered 200."""
    return Row(1, stream, 0.0, 0.0, done=0.1, status=status, code=None if status == 200 else "overloaded")


def test_failures_outside_the_blast_radius_abort(tmp_path: Path) -> None:
    """The request that reaches the limit does; those inside the radius and those answered well don't count."""
    path = tmp_path / "0.jsonl"
    guard = Guard(path, {"search"}, limit=2)
    with RowFile(path, Plan(Constant(1), ())) as rows:
        rows.begin(0.0)
        for each in (row("search"), row("search"), row("api_fresh"), row("api_fresh", 200)):
            rows.add(each)
        guard.check()
        rows.add(row("api_fresh"))
        with pytest.raises(Aborted, match=r"2 requests outside .* failed \(2 x api_fresh: 503 overloaded\)"):
            guard.check()


def test_half_a_row_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """The generator may be writing it."""
    path = tmp_path / "0.jsonl"
    guard = Guard(path, (), limit=1)
    line = '{"number": 1, "stream": "search", "scheduled": 0, "sent": 0, "error": "reset"}\n'
    path.write_text(line[:30])
    guard.check()
    path.write_text(line)
    with pytest.raises(Aborted, match="1 x search: reset"):
        guard.check()


def test_failures_that_must_be_are_counted_until_there_are_enough(tmp_path: Path) -> None:
    """Those written since the last look are added to the others; good answers and failures of others don't count."""
    path = tmp_path / "0.jsonl"
    proof = Proof(path, limit=2)

    def searched(each: Row) -> bool:
        return each.stream == "search"

    with RowFile(path, Plan(Constant(1), ())) as rows:
        rows.begin(0.0)
        for each in (row("search"), row("search", 200), row("api_fresh"), row("api_fresh")):
            rows.add(each)
        assert not proof.found(searched)
        rows.add(row("search"))
        assert proof.found(searched)
