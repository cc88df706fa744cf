"""The time limit of one request. A route declares its own with `dependencies=[time_limit(60)]`."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeAlias

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.types import Scope

from warmstart.errors import ServiceError

KEY = "warmstart.budget"  # of the scope


LastEvent: TypeAlias = Callable[[ServiceError], bytes]  # writes an error as the last event of a stream


class Stage(Enum):
    """How far an answer has come."""

    AWAITED = auto()
    BEGUN = auto()
    SENT = auto()  # only background tasks are still running


class Budget:
    """The time of one request. `timeout` ends it; `asked` is the caller's own limit, in seconds."""

    def __init__(self, timeout: asyncio.Timeout, asked: float | None) -> None:
        self.deadline = math.inf  # of the event loop's clock
        self.stage = Stage.AWAITED
        self.stopping = False
        self.ends_by_stop = False  # whether it is the stop that ends this request, and no limit of its own
        self.events = False  # whether the answer is a stream of them
        self.last_event: LastEvent | None = None
        self._timeout = timeout
        self._asked = math.inf if asked is None else asked
        self._limit = math.inf
        self._began = asyncio.get_running_loop().time()
        self._stop_at: dict[Stage, float] = {}
        self._lasting: float | None = None  # when a stop ends an answer that lasts
        self._lasts = False

    def allow(self, seconds: float | None) -> None:
        """Set the limit to `seconds` from the beginning, or to none.

        The limit is shorter when the caller asked for less, or when the process stops.
        """
        self._limit = math.inf if seconds is None else seconds
        self._reckon()

    def last(self, last_event: LastEvent | None = None) -> None:
        """This answer takes as long as it takes: its limits are the caller's own, and the last at a stop.

        `last_event` writes the error with which a stream of events then ends.
        """
        self._lasts, self.last_event = True, last_event
        self.allow(None)

    def reached(self, stage: Stage) -> None:
        """Note how far the answer has come."""
        self.stage = stage
        if stage is Stage.SENT or self.stopping:  # else its end is the same
            self._reckon()

    def stop(self, seconds: float, *, answering: float, lasting: float) -> None:
        """The process stops: `seconds` are left to an answer that has not begun, and to background tasks.

        An answer that has begun has `answering` seconds, a stream of events, and what lasts, `lasting` ones.
        """
        self.stopping = True
        now = asyncio.get_running_loop().time()
        self._stop_at = {Stage.AWAITED: now + seconds, Stage.BEGUN: now + answering, Stage.SENT: now + seconds}
        self._lasting = now + lasting
        self._reckon()

    def _reckon(self) -> None:
        ends = self._began + min(self._limit, self._asked) if self.stage is not Stage.SENT else math.inf
        stops = math.inf
        if self._lasting is not None:
            lasts = self.stage is not Stage.SENT and (self._lasts or self.events)
            stops = self._lasting if lasts else self._stop_at[self.stage]
        self.ends_by_stop = stops < ends
        self.deadline = min(ends, stops)
        if not self._timeout.expired():
            self._timeout.reschedule(None if self.deadline == math.inf else self.deadline)


@dataclass(frozen=True)
class TimeLimit:
    """A dependency that gives its request a limit of `seconds`, or none."""

    seconds: float | None

    async def __call__(self, connection: HTTPConnection) -> None:
        budget: Budget | None = connection.scope.get(KEY)
        if budget:
            budget.allow(self.seconds)


def time_limit(seconds: float | None) -> Any:
    """A route's own time limit, instead of REQUEST_TIMEOUT; None for none.

    `@app.get("/events", dependencies=[time_limit(None)])`; of a router's limit and its route's, the route's counts.
    Raises ValueError for a limit that is not positive.
    """
    if seconds is not None and not seconds > 0:
        raise ValueError(f"a time limit must be positive, or None: {seconds}")
    return Depends(TimeLimit(seconds))


def limit_of(scope: Scope) -> TimeLimit | None:
    """The limit that the request's route declares, read as soon as the route is known.

    Dependencies run only after the body was read, which would be too late.
    """
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    declared = [each.dependency for each in getattr(route, "dependencies", ())]
    return next((each for each in reversed(declared) if isinstance(each, TimeLimit)), None)
