"""Prometheus metrics of every service, right with several processes."""

import asyncio
import os
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from warmstart.settings.service import METRICS_FOLDER

IN_PROGRESS = Gauge(
    "http_requests_in_progress", "Requests and WebSockets whose answer has not ended", multiprocess_mode="livesum"
)
REQUESTS = Counter("http_requests_total", "Answers by route template and status", ["method", "route", "status"])
SECONDS = Histogram(
    "http_request_seconds",
    "Seconds from request to the end of its answer",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

router = APIRouter(tags=["probes"])
_running: dict[asyncio.AbstractEventLoop, asyncio.Task[bytes]] = {}


@router.get("/metrics", response_class=Response, responses={200: {"content": {CONTENT_TYPE_LATEST: {}}}})
async def metrics() -> Response:
    """Prometheus text, summed over the pod's processes. Requests during a scrape share its result."""
    scrape = _running.get(loop := asyncio.get_running_loop())
    if scrape is None:
        scrape = _running[loop] = asyncio.create_task(asyncio.to_thread(_text), name="scrape")
        scrape.add_done_callback(lambda _: _running.pop(loop))
    return Response(await asyncio.shield(scrape), media_type=CONTENT_TYPE_LATEST)


def _text() -> bytes:
    """Read the files of all processes. It takes milliseconds, so it runs in a thread: probes must not wait."""
    if METRICS_FOLDER not in os.environ:
        return generate_latest(REGISTRY)
    from warmstart.pod.metric_files import PodMetrics  # noqa: PLC0415 - it locks files, which Windows can't

    registry = CollectorRegistry()
    registry.register(PodMetrics(Path(os.environ[METRICS_FOLDER])))
    return generate_latest(registry)
