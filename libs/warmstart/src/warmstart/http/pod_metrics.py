"""What any process knows of its pod when it is scraped, from the board: health checks, phases, build."""

import platform
from collections import Counter
from collections.abc import Iterable

from fastapi import FastAPI
from prometheus_client import Metric
from prometheus_client.metrics_core import GaugeMetricFamily

from warmstart.lifecycle.lifespan import Lifecycle
from warmstart.lifecycle.phase import Phase
from warmstart.lifecycle.readiness import checks, is_ready


class PodFacts:
    """What a registry collects. Like a probe it reads memory only."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def collect(self) -> Iterable[Metric]:
        """The build, and with a lifecycle the pod's state."""
        yield _build(self._app)
        lifecycle: Lifecycle | None = self._app.state.lifecycle
        if lifecycle:
            yield from _state(lifecycle)


def _build(app: FastAPI) -> Metric:
    build = GaugeMetricFamily("warmstart_build_info", "1; what runs", labels=["service", "version", "python"])
    build.add_metric([app.title, app.version, platform.python_version()], 1)
    return build


def _state(lifecycle: Lifecycle) -> Iterable[Metric]:
    """The answers of the probes, one by one as kube-apiserver has them (`kubernetes_healthcheck`), and the phases."""
    found = checks(lifecycle)
    yield GaugeMetricFamily("warmstart_ready", "Whether /readyz answers 200", is_ready(found))
    health = GaugeMetricFamily("warmstart_healthcheck", "1 while a check passes, else 0", labels=["name", "type"])
    health.add_metric(["ping", "livez"], 1)
    health.add_metric(["first-ready", "startupz"], lifecycle.place.first_ready)
    for check in found:
        health.add_metric([check.name, "readyz"], check.failure is None)
    yield health
    processes = GaugeMetricFamily("warmstart_processes", "Processes of the pod by phase", labels=["phase"])
    phases = Counter(entry.phase for entry in lifecycle.place.entries())
    for phase in Phase:
        processes.add_metric([phase], phases[phase])
    yield processes
