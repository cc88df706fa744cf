"""The outcomes for users who came while the service started."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes

from loadtest.lab.measurement import Measurement
from loadtest.lab.users import PATIENCE, WINDOW
from loadtest.percentiles import percentile
from loadtest.report.style import GREEN, RED, YELLOW, colour


@dataclass
class People:
    """The users of all trials of one strategy; `latencies` in milliseconds, of those answered."""

    served: int = 0
    waited: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    offsets: list[float] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """Users without an answer, or with a wrong one."""
        return self.failures.total()

    @property
    def arrived(self) -> int:
        """All users."""
        return self.served + self.waited + self.failed

    def quote(self) -> str:
        """Percentiles of the latency of answered users."""
        return " / ".join(_time(percentile(self.latencies, share)) for share in (50, 95, 99, 100))


def people(measurement: Measurement, strategy: str) -> People:
    """The users of all trials of a strategy."""
    found = People()
    for trial in measurement.of(strategy, "users"):
        if trial.users:
            found.served += trial.users.served
            found.waited += trial.users.waited
            found.failures.update(trial.users.failed)
            found.latencies += trial.users.latencies
            found.offsets += trial.users.offsets
    return found


def draw_people(axes: Axes, measurement: Measurement, strategies: Sequence[str]) -> None:
    """A bar of 100 % for each strategy."""
    for row, strategy in enumerate(strategies):
        found = people(measurement, strategy)
        left = 0.0
        for count, label, shade in (
            (found.served, f"answered within {PATIENCE:g} s", GREEN),
            (found.waited, "answered later", YELLOW),
            (found.failed, "failed (503, refused, …)", RED),
        ):
            share = 100 * count / found.arrived if found.arrived else 0
            axes.barh(row, share, left=left, height=0.6, color=shade, label=label if row == 0 else None)
            if share >= 6:
                dark = shade != YELLOW
                axes.text(
                    left + share / 2,
                    row,
                    f"{share:.0f} %",
                    va="center",
                    ha="center",
                    color="white" if dark else "black",
                )
            left += share
    axes.set_yticks(range(len(strategies)), strategies)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"% of those who came in the first {WINDOW:g} s after exec")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=3, fontsize=9, columnspacing=1)


def draw_arrivals(axes: Axes, measurement: Measurement, strategies: Sequence[str]) -> None:
    """Latency by the time of arrival: a point is one person who was answered."""
    for index, strategy in enumerate(strategies):
        found = people(measurement, strategy)
        when = [offset / 1000 for offset in found.offsets]
        axes.plot(when, found.latencies, ".", markersize=3, alpha=0.5, color=colour(strategy, index), label=strategy)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("arrival, seconds after exec")
    axes.set_ylabel("latency from the scheduled time, ms")
    axes.legend(markerscale=4, ncols=len(strategies), loc="upper center", bbox_to_anchor=(0.5, -0.14))


def draw_distributions(axes: Axes, measurement: Measurement, strategies: Sequence[str]) -> None:
    """The share of all arrivals that were answered within a time; where a line ends, the rest failed."""
    for index, strategy in enumerate(strategies):
        found = people(measurement, strategy)
        times = sorted(found.latencies)
        shares = [100 * rank / found.arrived for rank in range(1, len(times) + 1)]
        axes.step(times, shares, where="post", color=colour(strategy, index), label=strategy, linewidth=2)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(0, 100)
    axes.set_xlabel("latency from the scheduled time, ms")
    axes.set_ylabel("% of those who came, answered within it")
    axes.legend(ncols=len(strategies), loc="upper center", bbox_to_anchor=(0.5, -0.14))


def _time(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.1f} s" if milliseconds >= 1000 else f"{milliseconds:.0f} ms"
