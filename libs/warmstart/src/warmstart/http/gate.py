"""The gate: a process that was never ready answers nothing but probes."""

from starlette.types import ASGIApp, Receive, Scope, Send

from warmstart.errors import NotReady, respond
from warmstart.http.probes import is_probe

OPEN_PATHS = frozenset({"/", "/metrics", "/favicon.ico"})
OPEN_PREFIX = "/assets/"


class Gate:
    """Answers 503 + Retry-After until this process is ready; it looks at no other process.

    A draining or failed process that was ready still serves: its clients leave during the drain.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass or refuse one request."""
        if scope["type"] != "http" or scope["app"].state.ready or _passes(scope):
            await self._app(scope, receive, send)
            return
        lifecycle = scope["app"].state.lifecycle
        phase = lifecycle.phase if lifecycle else "starting"
        await respond(NotReady(f"the service is {phase}", retry_after=1))(scope, receive, send)


def _passes(scope: Scope) -> bool:
    path = scope["path"]
    lifecycle = scope["app"].state.lifecycle
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIX) or is_probe(path) or (lifecycle and lifecycle.was_ready)
