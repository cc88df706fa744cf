"""The gate: before readiness a process answers only probes and the paths that the application opens by name."""

from collections.abc import Collection

from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from warmstart.errors import NotReady
from warmstart.http.errors import Respond
from warmstart.http.paths import OpenPaths, path_of


class Gate:
    """Answers 503 + Retry-After until this process is ready; it looks at no other process.

    A draining or failed process that was ready still serves: its clients leave during the drain. When a test replaces
    the lifespan, the gate refuses nothing: only the test knows when the application is ready.
    """

    def __init__(self, app: ASGIApp, state: State, open_paths: Collection[str], answer: Respond) -> None:
        self._app = app
        self._state = state
        self._open = OpenPaths(open_paths)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass or refuse one request or WebSocket handshake."""
        if self._state.ready or scope["type"] == "lifespan" or self._passes(path_of(scope)):
            await self._app(scope, receive, send)
            return
        refusal = NotReady(f"the service is {self._state.lifecycle.phase}", retry_after=1)
        await self._answer(refusal)(scope, receive, send)

    def _passes(self, path: str) -> bool:
        lifecycle = self._state.lifecycle
        return lifecycle is None or lifecycle.was_ready or path in self._open
