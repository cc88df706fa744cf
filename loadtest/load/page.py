"""The verdict in locust's own HTML report, which knows no thresholds."""

from html import escape
from pathlib import Path

from loadtest.load.verdict import BROKEN, GOOD, INVALID

TITLES = {GOOD: "All thresholds are kept", BROKEN: "A threshold is broken", INVALID: "The run is invalid"}
COLOURS = {GOOD: "#1a7f37", BROKEN: "#c62828", INVALID: "#b26a00"}
PLACE = '<div id="root">'  # where locust's script draws its report
SECTION = "warmstart-verdict"


def add_verdict(file: Path, code: int, said: str) -> None:
    """Write it above the report; a report that is of an earlier run, and has one, is left alone."""
    page = file.read_text(encoding="utf-8")
    if SECTION in page or PLACE not in page:
        return
    before, place, after = page.rpartition(PLACE)
    file.write_text(f"{before}{_section(code, said)}{place}{after}", encoding="utf-8")


def _section(code: int, said: str) -> str:
    style = "font: 15px/1.5 system-ui, sans-serif; padding: 1rem 2rem; background: #fff; color: #222;"
    title = f'<h1 style="font-size: 1.3rem; color: {COLOURS[code]};">{TITLES[code]}</h1>'
    text = f'<pre style="overflow-x: auto;">{escape(said)}</pre>'
    return f'<section id="{SECTION}" style="{style}">{title}{text}</section>\n'
