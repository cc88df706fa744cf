"""The time budget of one request, which travels from service to service."""

import asyncio
import logging
import math
import signal

from fastapi import Request
from starlette.datastructures import State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warmstart.errors import DeadlineExceeded, ServiceError, Stopping
from warmstart.http.budget import KEY, Budget, LastEvent, Stage, limit_of
from warmstart.http.errors import Respond
from warmstart.http.paths import logged_path
from warmstart.lifecycle.lifespan import Lifecycle
from warmstart.lifecycle.signals import Asked
from warmstart.settings.service import ServiceSettings

log = logging.getLogger("warmstart.deadline")

HEADER = "X-Request-Timeout"
_HEADER = HEADER.lower().encode()
AT_ONCE = 0.2  # seconds
SPENT = "the request's time budget is spent"
GOING_AWAY, RESTARTS = 1001, 1012  # codes of a WebSocket's end


def remaining(request: Request) -> float:
    """Seconds left of this request's budget; infinity without one."""
    budget: Budget = request.scope[KEY]
    return max(0.0, budget.deadline - asyncio.get_running_loop().time())


def lasting(request: Request, last_event: LastEvent) -> None:
    """From here on the answer takes as long as it takes: only the caller's own limit counts.

    When the process stops, it has `STREAM_DRAIN_SECONDS` left. A stream of events that is cut off ends with what
    `last_event` writes.
    """
    budget: Budget = request.scope[KEY]
    budget.last(last_event)


class Deadline:
    """Answers 504 when the budget is spent: the caller's `X-Request-Timeout` seconds, the route's limit at most.

    What has a longer limit, and is ended by a stop before its answer has begun, is a 503 `stopping`.

    The route's limit is `limit`, or what it declares with `time_limit`; a WebSocket has none unless it declares one.
    The budget is for the answer: it ends with the last byte, and background tasks go on after it.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings, state: State, answer: Respond) -> None:
        self._app = app
        self._limit = settings.request_timeout
        self._lasting = settings.lasting_seconds
        self._development = settings.environment == "development"
        self._state = state
        self._answer = answer
        self._under_way: set[Budget] = set()
        self._told: tuple[float, float] | None = None  # seconds left to an answer that has begun, to one that lasts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request within its budget."""
        if scope["type"] == "lifespan":
            self._told = None
            # Alone, uvicorn waits for open streams and background tasks without a limit. The lifecycle's own handlers
            # come later, stand before these, and hand a signal on when the process has drained.
            told = Asked((signal.SIGTERM, signal.SIGINT), self._stop, hands_on=True)
            try:
                await self._app(scope, receive, send)
            finally:
                told.restore()
            return
        try:
            async with asyncio.timeout(None) as timeout:
                budget = scope[KEY] = Budget(timeout, _asked(scope))
                self._under_way.add(budget)
                budget.allow(self._limit if scope["type"] == "http" else None)
                if self._told is not None:
                    self._tell(budget, *self._told)
                await self._app(scope, _within(budget, scope, receive), _noting(budget, send))
        except TimeoutError:
            if not timeout.expired():
                raise
            if budget.stage is Stage.AWAITED and scope["type"] == "http":
                await self._answer(_why(budget))(scope, receive, send)
            else:
                await _cut_off(budget, scope, send)
        finally:
            self._under_way.discard(budget)

    def _stop(self) -> None:
        """The server stops: answers, WebSockets and background tasks get a last time limit, that of a request.

        Under gunicorn the process has drained by now. Without gunicorn, in development, nobody wants to wait for a
        stream or a WebSocket: they get less.
        """
        lifecycle: Lifecycle | None = self._state.lifecycle
        at_once = self._development and not (lifecycle and lifecycle.place.binds_first)
        self._told = (AT_ONCE, AT_ONCE) if at_once else (self._limit, self._lasting)
        for budget in self._under_way:
            self._tell(budget, *self._told)

    def _tell(self, budget: Budget, answering: float, lasting: float) -> None:
        budget.stop(self._limit, answering=answering, lasting=lasting)


def _within(budget: Budget, scope: Scope, receive: Receive) -> Receive:
    """`receive`, under the route's own limit; where that is none, a body has REQUEST_TIMEOUT, since it takes room."""
    known = False

    async def receive_within() -> Message:
        nonlocal known
        own = None if known else limit_of(scope)
        if own and own.seconds is not None:
            known = True
            budget.allow(own.seconds)
        message = await receive()
        if own and own.seconds is None and not message.get("more_body"):
            known = True
            budget.allow(None)
        return message

    return receive_within


def _noting(budget: Budget, send: Send) -> Send:
    async def send_and_note(message: Message) -> None:
        if budget.stage is Stage.AWAITED:
            budget.events = any(value.startswith(b"text/event-stream") for _, value in message.get("headers", ()))
            budget.reached(Stage.BEGUN)
        await send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            budget.reached(Stage.SENT)

    return send_and_note


async def _cut_off(budget: Budget, scope: Scope, send: Send) -> None:
    """End what has begun.

    Only event streams may end cleanly: any other answer must break off, or it would look complete.
    """
    path = logged_path(scope)
    if budget.stage is Stage.SENT:
        log.warning("the background task of %s was cut off: the process stops", path)
        return
    if not budget.stopping:
        log.warning("the answer of %s was cut off at its time limit; `time_limit(seconds)` sets another", path)
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": RESTARTS if budget.stopping else GOING_AWAY})
    elif budget.events:
        last = budget.last_event(_why(budget)) if budget.last_event else b""
        await send({"type": "http.response.body", "body": last})


def _why(budget: Budget) -> ServiceError:
    if budget.ends_by_stop:
        return Stopping("the service stops, and the answer took longer than it waits for one", retry_after=1)
    return DeadlineExceeded(SPENT)


def _asked(scope: Scope) -> float | None:
    """The caller's own limit, in seconds."""
    stated = [value for name, value in scope["headers"] if name == _HEADER]
    if not stated:
        return None
    try:
        seconds = float(stated[-1])
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None
