"""Connections for the pool, which wait for a Postgres that restarts."""

import asyncio
from socket import gaierror
from typing import Any

import asyncpg

from api.patience import Patience
from api.postgres_connection import FAILURES, Connector
from api.settings import ApiSettings
from warmstart.errors import DependencyUnavailable
from warmstart.lifecycle.health import reason

# No name leads there, nobody listens, who listens is starting or stopping, or it knows a new password that has not yet
# come to the file: in a moment it may be otherwise.
AWAY = (
    ConnectionError,
    gaierror,
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.InvalidAuthorizationSpecificationError,
)


class PatientConnector(Connector):
    """A `Connector` that waits for `patience` seconds where nobody would serve it now.

    Here and not around a transaction, because all that comes to a request when Postgres restarts ends here: a lost
    connection, one that the pool finds dead, a new one. The pool bounds how many wait.
    """

    def __init__(self, settings: ApiSettings, name: str, patience: float, **limits: Any) -> None:
        super().__init__(settings, name, **limits)
        self._whose = "postgres" if name == "database_url" else "replica"
        self.patience = Patience(self._whose, patience, self._reach)

    async def __call__(self) -> asyncpg.Connection:
        """A new connection. Raises DependencyUnavailable after a wait in vain, else as `Connector` does.

        The wait has a bound of its own: the health sample's open connection may show again and again that Postgres is
        back, while it takes no new ones.
        """
        gives_up = asyncio.get_running_loop().time() + self.patience.seconds
        while True:
            if self.patience.away:
                await self.patience.wait(self.patience.away)
            try:
                return await super().__call__()
            except AWAY as error:
                why = reason(error)
            if self.patience.seconds > 0 and gives_up <= asyncio.get_running_loop().time():
                raise self.patience.refusal(why, "in vain")
            await self.patience.wait(why)

    async def _reach(self) -> None:
        try:
            connection = await super().__call__()
        except FAILURES as error:
            raise DependencyUnavailable(self._whose, reason(error)) from error
        connection.terminate()
