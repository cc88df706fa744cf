"""`PUT /v1/faults/{service}`: breaks the api or its workers on purpose; it is there only with FAULTS_ENABLED."""

from typing import Literal

from fastapi import APIRouter, Request

from api.settings import ApiSettings
from api.system.look import Look
from warmstart.errors import DependencyUnavailable
from warmstart.faults import WALL_CLOCK, Faults, turn

router = APIRouter(tags=["faults"])

LONGEST = 300.0  # seconds; a drill that needs longer writes the file itself


@router.put("/faults/{service}")
async def put_faults(
    request: Request, service: Literal["api", "worker"], faults: Faults, seconds: float = 30
) -> Faults:
    """Turn the switches of a service, those not named off, for so many seconds (300 at most).

    After that time they are off by themselves, also where a switch keeps the service from answering.
    """
    settings: ApiSettings = request.app.state.settings
    # Not `time.time()`, which a switch may have moved: those who read the file ask the real clock.
    faults = faults.model_copy(update={"until": WALL_CLOCK() + max(0.0, min(seconds, LONGEST))})
    if service == "api":
        if settings.faults_file is None:
            raise DependencyUnavailable("faults", "FAULTS_FILE names no file")
        turn(settings.faults_file, faults)
    else:
        look: Look = request.app.state.look
        await look.turn_workers(faults)
    return faults
