"""Draws requests 1 to N after a start against the steady state: they show whether readiness means warm."""

from collections.abc import Sequence
from statistics import median

from matplotlib.axes import Axes

from loadtest.lab.gate import MAX_RATIO, STEADY_FROM, ratios
from loadtest.lab.measurement import Measurement
from loadtest.percentiles import percentile
from loadtest.report.style import colour


def draw_ratios(axes: Axes, measurement: Measurement, strategies: Sequence[str]) -> None:
    """First request / steady p50 for each shape: a mark is the median, a line the range of all starts."""
    shapes: list[str] = []
    for index, strategy in enumerate(strategies):
        found = ratios(measurement.of(strategy, "quiet"))
        shapes = shapes or list(found)
        for row, shape in enumerate(found):
            values, place = found[shape], row + (index - (len(strategies) - 1) / 2) * 0.18
            shade = colour(strategy, index)
            axes.plot([min(values), max(values)], [place, place], "-", color=shade, linewidth=2, alpha=0.6)
            axes.plot(median(values), place, "o", color=shade, label=strategy if row == 0 else None)
    axes.axvline(MAX_RATIO, color="black", linestyle="--", linewidth=1)
    axes.text(MAX_RATIO * 1.05, -0.62, f"gate: {MAX_RATIO}", fontsize=9, va="center")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(shapes)), shapes)
    axes.set_ylim(len(shapes) - 0.5, -0.8)
    axes.set_xlabel("first request / steady p50 (log scale; median and range of all starts)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=len(strategies))


def draw_first_requests(axes: Axes, measurement: Measurement, strategies: Sequence[str], shape: str) -> None:
    """Latency of requests 1 to N of one shape: the median of all starts, and their range."""
    for index, strategy in enumerate(strategies):
        starts = [trial.shapes[shape] for trial in measurement.of(strategy, "quiet") if shape in trial.shapes]
        if not starts:
            continue
        columns = list(zip(*starts, strict=False))
        numbers = range(1, len(columns) + 1)
        shade = colour(strategy, index)
        axes.fill_between(
            numbers, [min(each) for each in columns], [max(each) for each in columns], color=shade, alpha=0.15
        )
        axes.plot(numbers, [median(each) for each in columns], "o-", markersize=3, color=shade, label=strategy)
        steady = percentile([time for times in starts for time in times[STEADY_FROM:]], 50)
        axes.axhline(steady, color=shade, linestyle=":", linewidth=1)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_title(shape)
    axes.set_xlabel("request after the start (dotted: steady p50)")
    axes.set_ylabel("latency, ms")
