"""`PUT /v1/faults/{service}`: breaks the api or its workers on purpose; it is there only with FAULTS_ENABLED."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import Field

from api.settings import ApiSettings
from api.system.look import Look
from warmstart.errors import DependencyUnavailable
from warmstart.faults import WALL_CLOCK, Faults, turn

router = APIRouter(tags=["faults"])


class Turned(Faults):
    """What is on, and where it isn't, though the order was for all."""

    missed: dict[str, str] = Field({}, description="by address of a worker that was not turned: why")
    unasked: int = Field(0, description="workers beyond the largest number that is asked; they were not turned")


LONGEST = 300.0  # seconds; a drill that needs longer writes the file itself


@router.put("/faults/{service}")
async def put_faults(
    request: Request, service: Literal["api", "worker"], faults: Faults, seconds: float = 30
) -> Turned:
    """Turn the switches of a service, those not named off, for so many seconds (300 at most).

    After that time they are off by themselves, also where a switch keeps the service from answering. It is an error if
    not one worker was turned; else the answer says which were not.
    """
    settings: ApiSettings = request.app.state.settings
    # Not `time.time()`, which a switch may have moved: those who read the file ask the real clock.
    faults = faults.model_copy(update={"until": WALL_CLOCK() + max(0.0, min(seconds, LONGEST))})
    missed, unasked = dict[str, str](), 0
    if service == "api":
        if settings.faults_file is None:
            raise DependencyUnavailable("faults", "FAULTS_FILE names no file")
        turn(settings.faults_file, faults)
    else:
        look: Look = request.app.state.look
        missed, unasked = await look.turn_workers(faults)
    return Turned(**dict(faults), missed=missed, unasked=unasked)
