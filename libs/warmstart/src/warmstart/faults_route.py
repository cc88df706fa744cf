"""`/faults`: turns this pod's fault switches over HTTP; it is there only with FAULTS_ENABLED."""

from pathlib import Path

from fastapi import APIRouter

from warmstart.faults import Faults, turn

PATH = "/faults"


def router(file: Path) -> APIRouter:
    """The route for the switches in `file`."""
    routes = APIRouter(tags=["faults"])

    @routes.put(PATH)
    async def put_faults(faults: Faults) -> Faults:
        """Turn the switches: those not named are off. All processes of the pod obey within a fraction of a second."""
        turn(file, faults)
        return faults

    return routes
