"""`/metrics`: Prometheus text of the whole pod, right with several processes; OpenMetrics with exemplars for traces."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from warmstart.errors import Unauthorized
from warmstart.http import request_metrics
from warmstart.http.errors import error_responses
from warmstart.http.exemplars import Collector, WithExemplars
from warmstart.http.operators import withheld
from warmstart.http.pod_metrics import PodFacts
from warmstart.settings.service import METRICS_FOLDER
from warmstart.traces import now

OPEN = "application/openmetrics-text"
END = b"# EOF\n"  # of a text in OpenMetrics

router = APIRouter(tags=["probes"])
_running: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Future[bytes]] = {}
_SCRAPES = ThreadPoolExecutor(1, "scrape")  # the application may fill asyncio's own pool with calls that hang


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {CONTENT_TYPE_LATEST: {}}}, **error_responses(401)},
)
async def metrics(request: Request) -> Response:
    """Prometheus text, summed over the pod's processes. Raises Unauthorized for who may not read it."""
    if withheld(request):
        message = "a key of OPERATOR_KEYS is needed: Authorization: Bearer <key>"
        raise Unauthorized(message, headers={"WWW-Authenticate": "Bearer"})
    app: FastAPI = request.app
    if now.on() and OPEN in request.headers.get("accept", ""):
        facts = _openmetrics(PodFacts(app))
        return Response(facts.removesuffix(END) + await _shared(_open_text), media_type=openmetrics.CONTENT_TYPE_LATEST)
    return Response(generate_latest(_registry(PodFacts(app))) + await counted(), media_type=CONTENT_TYPE_LATEST)


async def counted() -> bytes:
    """What the processes count."""
    return await _shared(_text)


async def _shared(text: Callable[[], bytes]) -> bytes:
    """The text, made in a thread. Requests during a scrape share its result."""
    loop = asyncio.get_running_loop()
    key = loop, text.__name__
    scrape = _running.get(key)
    if scrape is None:
        request_metrics.publish()
        scrape = _running[key] = loop.run_in_executor(_SCRAPES, text)
        scrape.add_done_callback(lambda _: _running.pop(key))
    return await asyncio.shield(scrape)


def _text() -> bytes:
    return generate_latest(_registry(_counts()))


def _open_text() -> bytes:
    return _openmetrics(WithExemplars(_counts()))


def _openmetrics(collector: Collector) -> bytes:
    return openmetrics.generate_latest(_registry(collector))  # type: ignore[no-untyped-call, no-any-return]


def _counts() -> Collector:
    """The files of all processes. To read them takes milliseconds, so it is done in a thread: probes must not wait."""
    if METRICS_FOLDER not in os.environ:
        return REGISTRY
    from warmstart.pod.metric_files import PodMetrics  # noqa: PLC0415 - it locks files, which Windows can't

    return PodMetrics(Path(os.environ[METRICS_FOLDER]))


def _registry(collector: Collector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry
