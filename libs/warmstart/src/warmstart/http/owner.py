"""The application that a request belongs to: in a mounted application, `request.app` is the mounted one."""

from collections.abc import Callable

from fastapi import FastAPI
from starlette.datastructures import State
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEY = "warmstart.app"  # of the scope


class Owner:
    """Notes the application in the scope.

    When a lifespan has begun, `started` may refuse it. When it has ended, its lifecycle is forgotten, so that tests
    without a lifespan don't depend on those before them.
    """

    def __init__(self, app: ASGIApp, owner: FastAPI, started: Callable[[], None]) -> None:
        self._app = app
        self._owner = owner
        self._started = started

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan."""
        scope[KEY] = self._owner
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        self._forget()
        try:
            await self._app(scope, receive, self._checking(send))
        finally:
            self._forget()

    def _forget(self) -> None:
        self._owner.state.lifecycle = None
        self._owner.state.ready = False

    def _checking(self, send: Send) -> Send:
        async def send_when_checked(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._started()
            await send(message)

        return send_when_checked


def state_of(connection: HTTPConnection) -> State:
    """The state of the application that has the lifecycle; the connection's own where no owner is installed."""
    scope = connection.scope
    state: State = (scope.get(KEY) or scope["app"]).state
    return state
