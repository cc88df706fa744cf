"""Describes what disturbed a measurement: figures of a busy machine are shown, and marked as such."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from loadtest.lab.measurement import Measurement, Trial
from loadtest.lab.others import LIMIT, NAMED

MARK = "*"


def reason(others: float | None, stolen: float = 0.0) -> str:
    """Why a start beside so much other work counts as disturbed, or nothing.

    Both arguments are shares of all CPUs; `stolen` is a part of `others`.
    """
    if not others or others <= LIMIT:
        return ""
    host = f", the host of this virtual machine {stolen:.0%}" if stolen >= 0.005 else ""
    return f"other programs used {max(0.0, others - stolen):.0%} of the CPUs{host}"


def banner(measurement: Measurement, strategies: Sequence[str]) -> str:
    """What disturbed the starts behind the figures of these strategies; empty if nothing did."""
    shown = [trial for strategy in strategies for trial in measurement.of(strategy)]
    disturbed = [trial for trial in shown if not trial.valid]
    if not disturbed:
        return ""
    count = f"{len(disturbed)} of the {len(shown)} starts that the figures come from were disturbed"
    advice = (
        f"Figures marked {MARK} come from such starts: they don't tell how a start goes on a quiet machine. Close other"
        " programs and measure again."
    )
    return " ".join([f"This machine was busy: {count}.", *_causes(disturbed), advice])


def _causes(trials: Sequence[Trial]) -> list[str]:
    said = []
    busy = [trial for trial in trials if (trial.others or 0.0) > LIMIT]
    if busy:
        shares = [(trial.others or 0.0) - trial.stolen for trial in busy]
        said.append(f"Other programs used {_spread(shares)} of its CPUs; a comparison allows {LIMIT:.0%}.")
    if stolen := [trial.stolen for trial in busy if trial.stolen >= 0.005]:
        said.append(f"The host of this virtual machine took another {_spread(stolen)}.")
    if names := _names(trials):
        said.append(f"Most of it: {names}.")
    if late := len(trials) - len(busy):
        said.append(f"In {late}, the load generator fell behind its schedule.")
    return said


def _names(trials: Sequence[Trial]) -> str:
    total: Counter[str] = Counter()
    for trial in trials:
        total.update({name: round(share * 1000) for name, share in trial.busiest.items()})
    return ", ".join(f"{name} ({count / 1000 / len(trials):.0%})" for name, count in total.most_common(NAMED))


def _spread(shares: Sequence[float]) -> str:
    low, high = f"{min(shares):.0%}", f"{max(shares):.0%}"
    return low if low == high else f"{median(shares):.0%} ({low} to {high})"
