"""Draws one picture of a run: medians as bars, ranges over the rounds as lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import matplotlib as mpl

mpl.use("Agg")  # no display

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from loadtest.bench.cases import Row
from loadtest.bench.summary import complete

WITHOUT_MODEL = ("api-hit", "bare-fastapi", "bare-redis")  # a hundred times faster, so they have a panel of their own


@dataclass(frozen=True)
class Panel:
    """One figure of all systems with a model, or of those without."""

    figure: str
    title: str
    without_model: bool = False


PANELS = (
    Panel("ready_seconds", "process start to first embedding (s)\nless is better"),
    Panel("p50_ms_c1", "one text, one client: p50 (ms)\nless is better"),
    Panel("rss_mb", "resident memory of the serving process (MB)\nless is better"),
    Panel("texts_per_s_c32", "32 clients, one text each (texts/s)\nmore is better"),
    Panel("texts_per_s_b32", "4 clients, batches of 32 (texts/s)\nmore is better"),
    Panel("texts_per_s_c32", "cache hits: 32 clients, one text each (texts/s)\nmore is better", without_model=True),
)
# Okabe and Ito's colours, for all kinds of colour vision (jfly.uni-koeln.de/color); limits are hatched besides.
OURS, PEER, LIMIT = ("#0072B2", ""), ("#E69F00", ""), ("#BBBBBB", "//")
LEGEND = {"this repository": OURS, "peer": PEER, "limit": LIMIT}


def draw(rows: Sequence[Row], rounds: int, file: Path) -> None:
    """Write a PNG."""
    names = complete(rows, rounds)
    figure, grid = plt.subplots(2, 3, figsize=(16, 3 + 0.6 * len(names)))
    for panel, axes in zip(PANELS, grid.flat, strict=True):
        shown = [name for name in names if (name in WITHOUT_MODEL) == panel.without_model]
        _draw(axes, rows, shown, panel)
    handles = [Patch(facecolor=colour, hatch=hatch, label=kind) for kind, (colour, hatch) in LEGEND.items()]
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False)
    figure.suptitle(f"Side by side in one run; bars: median, lines: range, rounds: {rounds}")
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    figure.savefig(file, dpi=100, bbox_inches="tight")  # titles may be wider than their axes
    plt.close(figure)


def _draw(axes: Axes, rows: Sequence[Row], names: Sequence[str], panel: Panel) -> None:
    for place, name in enumerate(names):
        values = [row[panel.figure] for row in rows if row["system"] == name and panel.figure in row]
        colour, hatch = _look(name)
        axes.barh(place, median(values), color=colour, hatch=hatch, edgecolor="white", height=0.7)
        axes.plot((min(values), max(values)), (place, place), color="black", linewidth=1.5)
        axes.annotate(f" {_short(median(values))}", (max(values), place), va="center", fontsize=9)
    axes.set_title(panel.title, fontsize=10, loc="left")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _look(name: str) -> tuple[str, str]:
    if name.startswith(("worker-", "api-")):
        return OURS
    return PEER if name in ("textbook", "infinity") else LIMIT
