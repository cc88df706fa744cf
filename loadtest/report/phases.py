"""Draws the phases from exec to steady state, a bar for each strategy."""

from collections.abc import Sequence
from statistics import median

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from loadtest.lab.measurement import Measurement, Trial, seconds
from loadtest.report.style import GREY, LIGHT, ORANGE, RED, SKY

# The time from the previous phase to this one: what it means for users, and its colour.
SEGMENTS = (
    ("accept", "process starts: connections refused", GREY),
    ("first_answer", "accepts connections, answers nothing", ORANGE),
    ("readyz", "answers probes, refuses work (503)", SKY),
    ("first_embedding", "says it is ready, but nothing was embedded yet", RED),
    ("steady", "first embedding answered; not steady yet", LIGHT),
)


def medians(trials: Sequence[Trial]) -> dict[str, float]:
    """Median seconds after exec of each phase that the trials have."""
    phases = [phase for phase, _, _ in SEGMENTS]
    return {phase: median(values) for phase in phases if (values := seconds(trials, phase))}


def draw_phases(axes: Axes, measurement: Measurement, strategies: Sequence[str]) -> None:
    """Stacked medians of all starts, the steady state of those under arrivals; a circle is one start."""
    for row, strategy in enumerate(strategies):
        trials = measurement.of(strategy)
        found, left = medians(trials), 0.0
        for phase, _, colour in SEGMENTS:
            if phase in found:
                width = max(0.0, found[phase] - left)
                axes.barh(row, width, left=left, height=0.6, color=colour)
                left = max(left, found[phase])
        firsts = seconds(trials, "first_embedding")
        axes.plot(firsts, [row] * len(firsts), "o", markersize=4, color="black", markerfacecolor="white", zorder=3)
        if firsts:
            axes.text(
                max([left, *firsts]) + 0.15,
                row,
                f"first embedding\nafter {median(firsts):.1f} s",
                va="center",
                fontsize=9,
            )
    axes.set_yticks(range(len(strategies)), strategies)
    axes.invert_yaxis()
    axes.set_xlabel("seconds after exec; median of all starts (circles: first embedding of each)")
    axes.set_xlim(right=axes.get_xlim()[1] * 1.2)
    marks = [Patch(color=colour, label=label) for _, label, colour in SEGMENTS]
    axes.legend(handles=marks, loc="upper center", bbox_to_anchor=(0.45, -0.2), ncols=2, fontsize=9)
