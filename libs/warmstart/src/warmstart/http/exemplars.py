"""The latest trace in each bucket of the request durations, for the exemplars of OpenMetrics.

prometheus_client keeps none where several processes count, so each process keeps its own and adds them to the scrapes
that it answers.
"""

import time
from bisect import bisect_left
from collections.abc import Iterable
from math import inf
from typing import Protocol

from prometheus_client import Metric
from prometheus_client.samples import Exemplar, Sample
from prometheus_client.utils import floatToGoString

from warmstart.http import request_metrics

BOUNDS = (*request_metrics.BUCKETS, inf)
LE = tuple(map(floatToGoString, BOUNDS))  # as the samples' label has them

_latest: dict[tuple[str, ...], Exemplar] = {}


class Collector(Protocol):
    """What a registry asks for metrics."""

    def collect(self) -> Iterable[Metric]:
        """The metrics."""


def note(method: str, route: str, status: int, seconds: float, trace_id: int) -> None:
    """Keep the trace of a request that took so long, under the labels of its duration."""
    bucket = LE[bisect_left(BOUNDS, seconds)]
    _latest[method, route, str(status), bucket] = Exemplar({"trace_id": f"{trace_id:032x}"}, seconds, time.time())


class WithExemplars:
    """A collector's metrics, with what this process has noted."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def collect(self) -> Iterable[Metric]:
        """The same metrics."""
        for metric in self._collector.collect():
            if metric.name == request_metrics.NAME:
                metric.samples = [_with_exemplar(sample) for sample in metric.samples]
            yield metric


def _with_exemplar(sample: Sample) -> Sample:
    found = _latest.get(tuple(sample.labels.get(name, "") for name in (*request_metrics.LABELS, "le")))
    return sample._replace(exemplar=found) if found else sample
