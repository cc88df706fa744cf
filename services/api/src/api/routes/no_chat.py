"""`POST /v1/chat/completions` of an api that has no chat server."""

from fastapi import APIRouter, Request

from api.chat_results import KEY
from warmstart.errors import DependencyUnavailable

router = APIRouter(tags=["chat"])


@router.post("/chat/completions", include_in_schema=False)
async def no_chat(request: Request) -> None:
    """Raises DependencyUnavailable, whatever the body is."""
    request.scope[KEY].result = "off"
    # Until the operator starts it with another setting, another try would fail too: no Retry-After invites one.
    raise DependencyUnavailable("chat", "this service has no chat server: CHAT_URL is not set", retry_after=None)
