"""The seconds of each stage of an answer, as its `Server-Timing` has them."""

from prometheus_client import Histogram

from warmstart.http.timing import Timings

SECONDS = Histogram(
    "server_timing_seconds",
    "Seconds of an answer's stages, those of its Server-Timing; a stage that an answer did not need is not counted",
    ["stage"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


class Stages:
    """Counts the stages that a service names beforehand, and no other: a name may come from another service."""

    def __init__(self, *names: str) -> None:
        self._seconds = {name: SECONDS.labels(name) for name in names}

    def observe(self, timings: Timings) -> None:
        """Count one answer."""
        for stage, seconds in timings.items():
            if seconds and stage in self._seconds:
                self._seconds[stage].observe(seconds)
