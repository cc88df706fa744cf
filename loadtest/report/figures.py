"""The pictures of a measurement: one for the README, and more for the page."""

from collections.abc import Callable, Sequence
from statistics import median

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtest.lab.measurement import Measurement, seconds
from loadtest.report.people import draw_arrivals, draw_distributions, draw_people
from loadtest.report.phases import draw_phases
from loadtest.report.warmth import draw_first_requests, draw_ratios

Draw = Callable[[Axes, Measurement, Sequence[str]], None]

MAIN = ("lazy", "blocking", "warm", "artifact")


def strategies(measurement: Measurement) -> list[str]:
    """The strategies with trials, the main ones first."""
    named = [*MAIN, *(name for name in measurement.strategies if name not in MAIN)]
    return [name for name in named if measurement.of(name)]


def overview(measurement: Measurement) -> Figure:
    """The picture of the README: how long nobody is served, what users meet, and whether ready means warm."""
    names = [name for name in strategies(measurement) if name in MAIN] or strategies(measurement)
    figure, (top, left, right) = plt.subplots(3, 1, figsize=(9.5, 11), height_ratios=(1, 0.9, 1.1))
    draw_phases(top, measurement, names)
    top.set_title("1  How long nobody is served")
    draw_people(left, measurement, names)
    left.set_title("2  What becomes of those who come meanwhile (one replica, no second try)")
    draw_ratios(right, measurement, names)
    right.set_title("3  Whether “ready” means warm")
    figure.suptitle(headline(measurement, names), x=0.02, ha="left", fontsize=13, fontweight="bold")
    figure.tight_layout(h_pad=1.2)
    return figure


def headline(measurement: Measurement, names: Sequence[str]) -> str:
    """The title of the picture, with numbers."""
    firsts = {name: median(found) for name in names if (found := seconds(measurement.of(name), "first_embedding"))}
    said = ", ".join(f"{name} {value:.1f} s" for name, value in firsts.items())
    busy = "\nDISTURBED: this machine was busy (see the report)" if any(map(measurement.disturbed, names)) else ""
    return f"From exec to the first embedding: {said}{busy}"


def single(draw: Draw, measurement: Measurement, title: str) -> Figure:
    """One picture by itself."""
    names = strategies(measurement)
    figure, axes = plt.subplots(figsize=(9.5, 2 + 0.5 * len(names) + 1.5))
    draw(axes, measurement, names)
    axes.set_title(title)
    figure.tight_layout()
    return figure


def first_requests(measurement: Measurement) -> Figure:
    """A picture for each shape."""
    names = strategies(measurement)
    shapes = list(dict.fromkeys(shape for trial in measurement.trials for shape in trial.shapes))
    figure, axes = plt.subplots(2, 2, figsize=(9.5, 8), sharey=True)
    for place, shape in zip(axes.flat, shapes, strict=False):
        draw_first_requests(place, measurement, names, shape)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=max(1, len(names)))
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    return figure


def all_figures(measurement: Measurement) -> dict[str, Figure]:
    """The figures of the page that have data, by title."""
    found: dict[str, Figure] = {}
    if any(trial.users for trial in measurement.trials):
        found["Latency by time of arrival"] = single(draw_arrivals, measurement, "Each point is one person")
        found["Latency of all who came"] = single(draw_distributions, measurement, "Where a line ends, the rest failed")
    if any(trial.shapes for trial in measurement.trials):
        found["Requests 1 to 15 after readiness"] = first_requests(measurement)
    return found
