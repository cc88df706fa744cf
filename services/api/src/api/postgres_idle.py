"""The pool's idle connections: when Postgres doesn't answer, any of them may be dead without having been told."""

from time import monotonic
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

from api.postgres_ages import MADE


class IdleConnections:
    """Those of one engine.

    A connection that a router or a failed host has forgotten stays open on this side, and the request that gets it
    from the pool waits for `COMMAND_TIMEOUT`: 7 s each for four such connections, after the network was back.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._ended = float("-inf")  # connections made until then are replaced when a request gets one
        self._known: dict[ConnectionPoolEntry, asyncpg.Connection] = {}
        event.listen(engine.sync_engine, "checkin", self._add)
        event.listen(engine.sync_engine, "checkout", self._remove)

    def _add(self, connection: Any, entry: ConnectionPoolEntry) -> None:
        if connection and entry.driver_connection:  # none when it was found dead
            self._known[entry] = entry.driver_connection

    def _remove(self, _connection: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:
        self._known.pop(entry, None)
        if entry.info[MADE] <= self._ended:
            raise DisconnectionError("made before the health sample changed its connection")

    def end(self) -> None:
        """End them at once, without a word to the server; the next request that gets one has it made anew.

        Those that are in use now are used no more afterwards.
        """
        self._ended = monotonic()
        for connection in self._known.values():
            connection.terminate()
        self._known.clear()
