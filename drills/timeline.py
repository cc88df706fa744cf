"""One figure for each drill: the probes' answers as bands, the requests below, the fault shaded."""

import io
import re
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from drills.judgement import BUCKET
from drills.result import Result

GREEN, ORANGE, RED, GREY, YELLOW = "#58a868", "#e8912d", "#c62828", "#d5d5d5", "#e6c84a"
ANSWERS = {"200": GREEN, "503": ORANGE, "none": GREY}
PHASES = {"ready": GREEN, "draining": YELLOW, "warming": ORANGE, "starting": ORANGE, "failed": RED}
OUTCOMES = (("ok", GREEN), ("ok after more than 1 s", YELLOW), ("refused, typed", ORANGE), ("lost", RED))
SHADE = "#7b61c4"
BAND = 0.22  # inches

mpl.rcParams["svg.fonttype"] = "none"  # text stays text, which is smaller and can be searched
mpl.rcParams["svg.hashsalt"] = "drills"


def svg(result: Result) -> str:
    """For a page: an svg element."""
    text = io.StringIO()
    figure(result).savefig(text, format="svg", metadata={"Date": None})
    element = text.getvalue()[text.getvalue().index("<svg") :]
    # Ids must differ between the figures of a page.
    prefix = f"{result.name}-{bool(result.control):d}-{result.run}-"
    return re.sub(r'(id="|href="#|url\(#)([\w.-]+)(?=["\)])', rf"\g<1>{prefix}\g<2>", element)


def figure(result: Result) -> Figure:
    """Bands of each watched service, then the requests."""
    bands = [(f"{part} {name}", changes) for part, tracks in result.tracks.items() for name, changes in tracks.items()]
    requests = 1.3 if result.buckets else 0.0
    height = BAND * max(1, len(bands)) + requests + 0.9
    drawn = Figure(figsize=(9.6, height), layout="constrained")
    end = max([result.seconds, *(at + BUCKET for at, *_ in result.buckets)])
    last = max([at for _, changes in bands for at, _ in changes] + [at for at, *_ in result.buckets], default=0) + 1
    end = max(1.0, min(end, last + 2))
    ratios = [BAND * max(1, len(bands)), requests] if requests else [1]
    axes: Any = drawn.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)
    _bands(axes[0][0], bands, end)
    if requests:
        _requests(axes[1][0], result)
    for [axis] in axes:
        axis.set_xlim(0, end)
        axis.spines[["top", "right"]].set_visible(False)
        for began, ended in result.windows:
            axis.axvspan(began, ended, color=SHADE, alpha=0.25, lw=0, zorder=0)
            axis.axvline(began, color=SHADE, lw=1.5)
            axis.axvline(ended, color=SHADE, lw=1.5)
    axes[-1][0].set_xlabel("seconds", fontsize=8)
    _legend(drawn)
    return drawn


def _bands(axis: Axes, bands: list[tuple[str, list[tuple[float, str]]]], end: float) -> None:
    for row, (_, changes) in enumerate(bands):
        ends = [at for at, _ in changes[1:]] + [end]
        for (at, value), until in zip(changes, ends, strict=True):
            axis.broken_barh([(at, until - at)], (row - 0.3, 0.6), facecolors=_colour(value))
    axis.set_yticks(range(len(bands)), [name for name, _ in bands], fontsize=8)
    axis.set_ylim(max(1, len(bands)) - 0.4, -0.6)
    axis.tick_params(axis="x", labelsize=8)


def _colour(value: str) -> str:
    if value in ANSWERS:
        return ANSWERS[value]
    phases = value.split()
    return next((PHASES[each] for each in ("failed", "draining", "starting", "warming") if each in phases), GREEN)


def _requests(axis: Axes, result: Result) -> None:
    at = [bucket[0] for bucket in result.buckets]
    base = [0.0] * len(at)
    for number, (_, colour) in enumerate(OUTCOMES, start=1):
        heights = [float(bucket[number]) / BUCKET for bucket in result.buckets]
        axis.bar(at, heights, BUCKET, base, align="edge", color=colour, lw=0)
        base = [low + height for low, height in zip(base, heights, strict=True)]
    axis.set_ylabel("requests/s", fontsize=8)
    axis.tick_params(labelsize=8)


def _legend(drawn: Figure) -> None:
    shown = [Patch(color=GREEN, label="200, ready / ok"), Patch(color=ORANGE, label="503, warming / refused, typed")]
    shown += [Patch(color=GREY, label="no answer"), Patch(color=YELLOW, label="draining / ok after more than 1 s")]
    shown += [Patch(color=RED, label="failed / lost"), Patch(color=SHADE, alpha=0.3, label="fault")]
    drawn.legend(handles=shown, loc="outside upper center", ncols=6, fontsize=7, frameon=False)
