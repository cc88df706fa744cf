"""HEAD: every GET route must answer it (RFC 9110, section 9.3.2), and FastAPI's routes do not."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """Answers HEAD as GET; the server still sees HEAD, and sends only the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        as_get = {**scope, "method": "GET"}

        async def send_for_head(message: Message) -> None:
            scope.update(as_get, method="HEAD")  # the route that matched, for the log and the metrics
            await send(message)

        await self._app(as_get, receive, send_for_head)
