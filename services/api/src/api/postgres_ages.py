"""Which connections of the pool are as old as one that failed, and so must not be used: by the monotonic clock.

SQLAlchemy compares times of the wall clock. When that is set back by an hour, connections of the last hour are too
young to be replaced, and each costs a request its try; when it is set back after a failure, each new connection is too
old, and every transaction has one of its own.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

MADE, ENDS = "warmstart_made", "warmstart_ends"
# Seconds, and up to a tenth more, so that not all are replaced at once. Where nobody writes, nothing else notices that
# a name has moved while the server that it led to lives on.
LIFETIME = 600.0
_from: ContextVar[float] = ContextVar("_from", default=float("-inf"))  # a moment; older connections don't do


@contextmanager
def made_from_now_on() -> Iterator[None]:
    """Inside the block, a connection that the pool hands out is a new one: what it has may all lead to a replica.

    It takes the place of one of them; when it has done the work, those of the others go, too. While the only server is
    read-only, it can't: to replace them all for each of 33 refused writes a second had searches wait for 1 s, not 0.01.
    """
    known = _from.set(monotonic())
    try:
        yield
    finally:
        _from.reset(known)


class ConnectionAges:
    """Those of one engine; a later listener of `handle_error` sees what this one has decided."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._failed = float("-inf")  # connections made until then have failed, or would
        event.listen(engine.sync_engine, "connect", self._note)
        event.listen(engine.sync_engine, "checkout", self._check)
        event.listen(engine.sync_engine, "commit", self._succeed)
        event.listen(engine.sync_engine, "handle_error", self._fail)

    def _note(self, _connection: Any, entry: ConnectionPoolEntry) -> None:
        entry.info[MADE] = now = monotonic()
        entry.info[ENDS] = now + LIFETIME * random.uniform(1, 1.1)  # noqa: S311 - chance, no secret

    def _check(self, _connection: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:
        if entry.info[MADE] <= max(self._failed, _from.get()):
            raise DisconnectionError("made before a connection failed")  # the pool makes a new one in its place
        if entry.info[ENDS] <= monotonic():
            raise DisconnectionError("at the end of its lifetime")

    def _succeed(self, _connection: Any) -> None:
        self._failed = max(self._failed, _from.get())  # what a new connection has done, older ones could not

    def _fail(self, context: ExceptionContext) -> None:
        context.invalidate_pool_on_disconnect = False
        if context.is_disconnect and context.connection and context.connection.info.get(MADE, 0) > self._failed:
            self._failed = monotonic()
