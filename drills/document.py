"""Writes docs/drills.md: keeps the text around the table, and makes the table from the matrix."""

from collections.abc import Mapping
from pathlib import Path

from drills.matrix import ROWS
from drills.row import Control, Probes, Row
from stack import Part

FILE = Path(__file__).resolve().parents[1] / "docs" / "drills.md"
BEGIN, END = "<!-- made by python -m drills -->\n", "<!-- end -->\n"


def document() -> str:
    """The new content of the file: the present text with a new table."""
    before, _, rest = FILE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


def table() -> str:
    """One row a drill."""
    head = (
        "| claim | fault | probes: live, startup, ready | restarts | clients see, in which streams | sign of the fault "
        "| on a cluster | control: without | engine |\n"
    )
    return head + "|---" * 9 + "|\n" + "".join(_line(row) for row in ROWS)


def _line(row: Row) -> str:
    cells = (
        f"**{row.name}** {row.claim}",
        "; ".join([row.fault, *(f"not on {kind}: {why}" for kind, why in row.not_on.items() if kind != "kubernetes")]),
        "<br>".join([*_probes(row.probes), *_elsewhere(row)]),
        _restarts(row),
        _clients(row),
        ", ".join(f"*{each}*" for each in row.bites),
        _cluster(row),
        _control(row.control),
        row.engine,
    )
    return f"| {' | '.join(cells)} |\n"


def _probes(expected: Mapping[Part, Probes]) -> list[str]:
    return [f"{part}: {each.live}, {each.startup}, {each.ready}" for part, each in expected.items()]


def _elsewhere(row: Row) -> list[str]:
    found = {kind: row.on(kind).probes for kind, differences in row.elsewhere.items() if "probes" in differences}
    return [f"on {kind}: {'; '.join(_probes(probes))}" for kind, probes in found.items()]


def _cluster(row: Row) -> str:
    """What Kubernetes does in this drill, or why the drill can't run there."""
    if why := row.not_on.get("kubernetes"):
        return f"not run: {why}"
    there = row.on("kubernetes")
    return row.cluster if there.fault == row.fault else f"{there.fault}; {row.cluster}"


def _restarts(row: Row) -> str:
    if row.exit_code is not None:
        return f"exit status {row.exit_code}"
    if row.restarts is None:
        return "all, by request"
    return ", ".join(f"{count} of the {part}'s" for part, count in row.restarts.items()) or "0"


def _clients(row: Row) -> str:
    if row.exit_code is not None:
        return "none"
    seen = _failures(row)
    for kind, differences in row.elsewhere.items():
        if "clients" in differences:
            seen += f"<br>on {kind}: {_failures(row.on(kind))}"
    return seen


def _failures(row: Row) -> str:
    seen = ", ".join(f"`{each}`" for each in row.clients) or "no failure"
    seen = f"{seen}; in flight at the fault: lost" if row.in_flight else seen
    return f"{seen} in {', '.join(f'*{each}*' for each in row.radius)}" if row.radius else seen


def _control(control: Control | None) -> str:
    return f"{control.without} → *{control.breaks}*" if control else "none"
