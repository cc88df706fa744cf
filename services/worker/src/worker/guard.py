"""Lets in who has the secret that the worker shares with the api."""

from starlette.types import ASGIApp, Receive, Scope, Send

from warmstart.errors import Unauthorized, respond
from warmstart.http.tokens import WatchedTokens
from worker.settings import WorkerSettings

REFUSAL = Unauthorized(
    "the worker answers its api only: WORKER_SECRET, as Authorization: Bearer <secret>",
    code="invalid_worker_secret",
    headers={"WWW-Authenticate": "Bearer"},
)


class Guard:
    """401 for a request without one of the secrets, before its body is read. Probes and metrics never come here.

    Where the vault, which may have had one, has none, anybody is let in.
    """

    def __init__(self, app: ASGIApp, secrets: WatchedTokens, settings: WorkerSettings) -> None:
        self._app = app
        self._secrets = secrets
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "lifespan" and not self._secrets.has(scope) and not self._settings.is_open:
            await respond(REFUSAL)(scope, receive, send)
            return
        await self._app(scope, receive, send)
