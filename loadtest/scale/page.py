"""Writes `index.html` and `scale.png` of a run; the page needs no other file."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtest.bench.verdict import Bound
from loadtest.report import tables
from loadtest.report.page import png
from loadtest.report.style import BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY, YELLOW, styled
from loadtest.scale.corpus import FILTERS
from loadtest.scale.curve import Point, table
from loadtest.scale.searching import EMBEDDING

PICTURE = "scale.png"
TEMPLATE = Path(__file__).with_name("page.html")
COLOURS = dict(zip((EMBEDDING, *FILTERS), (GREY, BLUE, ORANGE, GREEN, PINK, RED, YELLOW, SKY), strict=True))


def write(found: Sequence[Point], bounds: Sequence[Bound], machine: dict[str, Any], folder: Path) -> None:
    """Write both files."""
    with styled():
        picture = png(_figure(found))
    (folder / PICTURE).write_bytes(picture)
    page = Template(TEMPLATE.read_text()).substitute(
        picture=f'<img alt="" src="data:image/png;base64,{base64.b64encode(picture).decode()}">',
        table=tables.html(table(found)),
        goals=escape("\n".join(map(str, bounds))),
        machine=tables.html([["", "value"], *([name, str(value)] for name, value in machine.items())]),
    )
    (folder / "index.html").write_text(page)


def _figure(found: Sequence[Point]) -> Figure:
    figure, ((speed, recall), (one, many)) = plt.subplots(2, 2, figsize=(11, 8))
    sizes = [point.size for point in found]
    for name, colour in (("documents/s", BLUE), ("worker alone, texts/s", GREY)):
        speed.plot(sizes, [point.indexing()[name] for point in found], "o-", color=colour, label=name)
    for name in found[0].of("recall")[-1]["recall"]:
        recall.plot(sizes, [point.recall(name) for point in found], "o-", color=COLOURS[name], label=name)
    _searches(one, found, 1)
    _searches(many, found, 32)
    titles = ("Storing documents, a second", "recall@10", "Search, one client: p50, ms", "Search, 32 clients: p50, ms")
    for axes, title in zip((speed, recall, one, many), titles, strict=True):
        axes.set_title(title)
        axes.set_xscale("log")
        axes.set_xlabel("documents")
        axes.legend()
    for axes in (speed, one, many):
        axes.set_ylim(bottom=0)
    figure.tight_layout()
    return figure


def _searches(axes: Axes, found: Sequence[Point], clients: int) -> None:
    for kind, colour in COLOURS.items():
        axes.plot(
            [point.size for point in found],
            [point.p50(kind, clients) for point in found],
            "o-",
            color=colour,
            label=kind,
        )
