"""`RateLimit` and `RateLimit-Policy` on each answer to a counted call, whichever part makes the answer."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RateLimitHeaders:
    """Adds `request.state.rate_limit`, a list of raw headers, where a route has left one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start" and "rate_limit" in state:
                message["headers"] = [*message.get("headers", ()), *state["rate_limit"]]
            await send(message)

        await self._app(scope, receive, send_with_headers)
