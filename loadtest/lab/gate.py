"""Checks two promises: the worker is warm when it is ready, and its start fits the start budget of compose.yaml."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

import yaml

from loadtest.lab.measurement import Trial, seconds
from loadtest.percentiles import percentile

MAX_RATIO = 1.5  # first request / steady p50, for each shape
STEADY_FROM = 5  # requests of a shape that don't count as steady yet
MIN_STARTS = 20  # with fewer starts the slowest one says too little
MIN_UNDISTURBED = 10  # of them: a median of fewer is that of a lucky few
BUDGET_FACTOR = 3  # a node that is busy, or reads the image for the first time, is slower than a measurement

DURATION = re.compile(r"(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


def ratios(trials: Iterable[Trial]) -> dict[str, list[float]]:
    """First request / steady p50 by shape, a value for each start."""
    found: dict[str, list[float]] = {}
    for trial in trials:
        for shape, times in trial.shapes.items():
            found.setdefault(shape, []).append(times[0] / percentile(times[STEADY_FROM:], 50))
    return found


def cold(trials: Sequence[Trial]) -> list[str]:
    """One line for each shape whose first request is too slow, in the median of all starts."""
    found = ratios(trials)
    if not found:
        return ["no quiet trials: nothing is known about first requests"]
    return [
        f"{shape}: the first request after readiness takes {median(values):.2f} times the steady p50"
        f" (median of {len(values)} starts, {min(values):.2f} to {max(values):.2f}); allowed {MAX_RATIO}"
        for shape, values in found.items()
        if median(values) > MAX_RATIO
    ]


def over_budget(trials: Sequence[Trial], budget: float) -> list[str]:
    """Why the start budget is too small, or nothing."""
    starts = seconds(trials, "readyz")
    if len(starts) < MIN_STARTS:
        return [f"{len(starts)} starts were measured; a budget needs at least {MIN_STARTS}"]
    needed = max(starts) * BUDGET_FACTOR
    if needed <= budget:
        return []
    slowest = f"the slowest of {len(starts)} starts took {max(starts):.2f} s"
    return [f"the start budget of compose.yaml is {budget:g} s; {slowest}, times {BUDGET_FACTOR} is {needed:.1f} s"]


def start_budget(compose: Path) -> float:
    """Seconds in which the engine ignores failures of the worker's health check."""
    services: Mapping[str, Mapping[str, Mapping[str, str]]] = yaml.safe_load(compose.read_text())["services"]
    return duration(services["worker"]["healthcheck"]["start_period"])


def duration(text: str) -> float:
    """Seconds of `60s` or `1m30s`. Raises ValueError for anything else."""
    found = DURATION.fullmatch(text)
    if not found or not text:
        raise ValueError(f"{text} is no duration")
    return float(found[1] or 0) * 60 + float(found[2] or 0)
