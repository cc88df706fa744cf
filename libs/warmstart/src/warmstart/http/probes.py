"""The probe routes. They read memory only, so that no dependency can hang a probe."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

from warmstart.errors import NotFound, NotReady, shortened
from warmstart.http.errors import error_responses
from warmstart.http.operators import withheld
from warmstart.lifecycle.lifespan import Lifecycle
from warmstart.lifecycle.phase import Phase
from warmstart.lifecycle.readiness import LIFECYCLE, checks, is_ready
from warmstart.lifecycle.resources import ResourceState

PATHS = frozenset({"/livez", "/startupz", "/readyz"})
router = APIRouter(tags=["probes"])


def _running(request: Request) -> Lifecycle:
    lifecycle: Lifecycle | None = request.app.state.lifecycle
    if lifecycle is None:
        raise NotReady("the application's lifespan has not started")
    return lifecycle


Running = Annotated[Lifecycle, Depends(_running)]


def _ready_by_hand(request: Request) -> bool:
    """Whether a lifespan without a Lifecycle, as a test's own, has set `app.state.ready`."""
    return bool(request.app.state.ready and not request.app.state.lifecycle)


_NONE: list[str] = []
_READYZ: dict[int | str, dict[str, Any]] = {503: {"content": {"text/plain": {}}, "description": "not ready"}}


class ResourceReport(BaseModel):
    """One resource of the process that answers."""

    name: str
    state: ResourceState
    required: bool
    attempts: int
    elapsed_seconds: float
    error: str | None
    detail: str | None


class ProcessReport(BaseModel):
    """One process of the pod."""

    pid: int
    phase: Phase


class StartupReport(BaseModel):
    """How far the start has come."""

    phase: Phase
    elapsed_seconds: float
    resources: list[ResourceReport]
    processes: list[ProcessReport]


def startup_report(lifecycle: Lifecycle) -> StartupReport:
    """How far this process's start has come."""
    return StartupReport(
        phase=lifecycle.phase,
        elapsed_seconds=round(lifecycle.elapsed_seconds, 3),
        resources=[
            ResourceReport(
                name=name,
                state=each.state,
                required=each.resource.required,
                attempts=each.attempts,
                elapsed_seconds=round(each.elapsed_seconds, 3),
                error=each.error,
                detail=each.detail,
            )
            for name, each in lifecycle.supervisors.items()
        ],
        processes=[ProcessReport(pid=entry.pid, phase=entry.phase) for entry in lifecycle.place.entries()],
    )


def is_probe(path: str) -> bool:
    """Whether a request path is a probe's."""
    return path in PATHS or path.startswith("/readyz/")


def is_operation(path: str) -> bool:
    """Whether a request path is that of a probe or of the metrics."""
    return is_probe(path) or path == "/metrics"


@router.get("/livez", response_class=PlainTextResponse)
async def livez() -> str:
    """200 while this process's event loop turns."""
    return "ok"


@router.get("/startupz", response_model=StartupReport, responses={503: {"model": StartupReport}})
async def startupz(request: Request) -> JSONResponse:
    """503 until the pod's first readiness, then 200 for good. Some callers see the phase alone."""
    if _ready_by_hand(request):
        ready = StartupReport(phase=Phase.READY, elapsed_seconds=0, resources=[], processes=[])
        return JSONResponse(ready.model_dump(mode="json"))
    lifecycle = _running(request)
    report = startup_report(lifecycle)
    if withheld(request):
        report = report.model_copy(update={"resources": [], "processes": []})
    return JSONResponse(report.model_dump(mode="json"), 200 if lifecycle.place.first_ready else 503)


@router.get("/readyz", response_class=PlainTextResponse, responses=_READYZ)
async def readyz(
    request: Request, verbose: str | None = None, exclude: Annotated[list[str], Query()] = _NONE
) -> PlainTextResponse:
    """200 while the pod can take traffic; `?verbose` and `?exclude=name` as kube-apiserver has them."""
    if _ready_by_hand(request):
        return PlainTextResponse("ok")
    lifecycle = _running(request)
    found = checks(lifecycle)
    ready = is_ready(found, exclude)
    if ready and verbose is None:
        return PlainTextResponse("ok")
    excludable = {check.name for check in found} - {LIFECYCLE}
    excluded = excludable.intersection(exclude)
    hidden = withheld(request)
    lines = [
        f"[+]{check.name} excluded: ok" if check.name in excluded else check.line(withheld=hidden) for check in found
    ]
    lines += [
        f"warn: {shortened(name)!r} is no check that can be excluded" for name in exclude if name not in excludable
    ]
    lines.append(f"readyz check {'passed' if ready else 'failed'}")
    return PlainTextResponse("\n".join(lines) + "\n", 200 if ready else 503)


@router.get("/readyz/{name}", response_class=PlainTextResponse, responses={**_READYZ, **error_responses(404)})
async def readyz_check(request: Request, lifecycle: Running, name: str) -> PlainTextResponse:
    """One check alone: 503 when it fails, gating or not."""
    for check in checks(lifecycle):
        if check.name == name:
            return PlainTextResponse(f"{check.line(withheld=withheld(request))}\n", 503 if check.failure else 200)
    raise NotFound(f"there is no check {shortened(name)!r}", param="name")
