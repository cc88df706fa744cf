"""k8s/budgets.yaml and the measurement that it names, read in this one place."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from loadtest.lab.measurement import Measurement, seconds
from stack.site import REPOSITORY

FILE = REPOSITORY / "k8s" / "budgets.yaml"
START_FACTOR = 3  # how much slower than the slowest start that was measured a start may be
KUBELET_MARGIN = 5  # seconds that the kubelet waits longer than gunicorn


@dataclass(frozen=True)
class Budgets:
    """Seconds, and for each probe its path, period, time-out and threshold as Kubernetes names them; MiB by image."""

    inputs: dict[str, float]
    probes: dict[str, dict[str, Any]]
    grace: float
    liveness_grace: float
    min_ready: float
    measurement: str
    memory: dict[str, float]

    @property
    def start(self) -> float:
        """What the startup probe must allow: the service's own limit, after a start slower than any seen."""
        return self.inputs["startup_timeout"] + START_FACTOR * self.inputs["slowest_start"]

    @property
    def tolerated_pause(self) -> float:
        """How long `/livez` may fail: until gunicorn has replaced the process, and the new one has started."""
        return self.inputs["loop_timeout"] + self.inputs["slowest_start"]


@cache
def budgets() -> Budgets:
    """What the file says."""
    found = yaml.safe_load(FILE.read_text())
    return Budgets(
        inputs=found["inputs"],
        probes=found["probes"],
        grace=found["stop"]["terminationGracePeriodSeconds"],
        liveness_grace=found["stop"]["livenessGracePeriodSeconds"],
        min_ready=found["rollout"]["minReadySeconds"],
        measurement=found["measurement"],
        memory=found["memory"],
    )


def measured_starts() -> list[float]:
    """Seconds from exec to `/readyz` 200, one a start, whatever its engine and its load."""
    return seconds(Measurement.load(REPOSITORY / budgets().measurement).trials, "readyz")
