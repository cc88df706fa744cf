"""`GET /v1/system`: what the page shows of the api and every worker."""

from fastapi import APIRouter, Request, Response
from starlette.types import Scope

from api.system.look import Look
from api.system.schemas import System
from warmstart.errors import Unauthorized
from warmstart.http.operators import Operators
from warmstart.http.paths import path_of

router = APIRouter(tags=["system"])

PATH = "/v1/system"


@router.get("/system", response_class=Response, responses={200: {"model": System}})
async def get_system(request: Request) -> Response:
    """The api and every worker now, at most a second old; answered before the api is ready, too."""
    operators: Operators = request.app.state.operators
    if not operators.may_read(request.scope):
        raise Unauthorized("a key of OPERATOR_KEYS is needed", headers={"WWW-Authenticate": "Bearer"})
    look: Look = request.app.state.look
    return Response(await look.read(), media_type="application/json", headers={"Cache-Control": "no-store"})


def is_operators(scope: Scope) -> bool:
    """Whether an operator asks for this route: with a key of `OPERATOR_KEYS`, which needs no API key beside it."""
    operators: Operators = scope["app"].state.operators
    return path_of(scope) == PATH and operators.keys.has(scope)
