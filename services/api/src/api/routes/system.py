"""`GET /v1/system`: what the page shows of the api and every worker."""

from fastapi import APIRouter, Request, Response

from api.system.look import Look
from api.system.schemas import System
from warmstart.errors import Unauthorized

router = APIRouter(tags=["system"])

PATH = "/v1/system"


@router.get("/system", response_class=Response, responses={200: {"model": System}})
async def get_system(request: Request) -> Response:
    """The api and every worker now, at most a second old; answered before the api is ready, too."""
    if not request.app.state.operators.may_read(request.scope):
        raise Unauthorized("a key of OPERATOR_KEYS is needed", headers={"WWW-Authenticate": "Bearer"})
    look: Look = request.app.state.look
    return Response(await look.read(), media_type="application/json", headers={"Cache-Control": "no-store"})
