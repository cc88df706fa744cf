"""`/metrics`: Prometheus text of the whole pod, right with several processes."""

import asyncio
import os
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from warmstart.errors import Unauthorized
from warmstart.http.errors import error_responses
from warmstart.http.operators import WITHHELD
from warmstart.http.pod_metrics import PodFacts
from warmstart.settings.service import METRICS_FOLDER

router = APIRouter(tags=["probes"])
_running: dict[asyncio.AbstractEventLoop, asyncio.Task[bytes]] = {}


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {CONTENT_TYPE_LATEST: {}}}, **error_responses(401)},
)
async def metrics(request: Request) -> Response:
    """Prometheus text, summed over the pod's processes. Raises Unauthorized for who may not read it."""
    if getattr(request.state, WITHHELD, False):
        message = "a key of OPERATOR_KEYS is needed: Authorization: Bearer <key>"
        raise Unauthorized(message, headers={"WWW-Authenticate": "Bearer"})
    app: FastAPI = request.app
    return Response(_facts(app) + await counted(), media_type=CONTENT_TYPE_LATEST)


async def counted() -> bytes:
    """What the processes count. Requests during a scrape share its result."""
    scrape = _running.get(loop := asyncio.get_running_loop())
    if scrape is None:
        scrape = _running[loop] = asyncio.create_task(asyncio.to_thread(_text), name="scrape")
        scrape.add_done_callback(lambda _: _running.pop(loop))
    return await asyncio.shield(scrape)


def _text() -> bytes:
    """Read the files of all processes. It takes milliseconds, so it runs in a thread: probes must not wait."""
    if METRICS_FOLDER not in os.environ:
        return generate_latest(REGISTRY)
    from warmstart.pod.metric_files import PodMetrics  # noqa: PLC0415 - it locks files, which Windows can't

    registry = CollectorRegistry()
    registry.register(PodMetrics(Path(os.environ[METRICS_FOLDER])))
    return generate_latest(registry)


def _facts(app: FastAPI) -> bytes:
    registry = CollectorRegistry()
    registry.register(PodFacts(app))
    return generate_latest(registry)
