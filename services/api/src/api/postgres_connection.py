"""Makes every connection to Postgres: for the pools, the health samples and the migration."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import asyncpg
from pydantic import SecretStr

from api.database_url import DatabaseAddress, parse
from api.settings import ApiSettings

CONNECT_TIMEOUT = 2.0  # seconds; asyncpg's own 60 could eat the whole start-up budget
FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Connector:
    """Connects to the address that its file names now; when that fails, to the one that served last.

    Args:
        settings: with the address, or the file that holds it.
        name: that of the setting.
        limits: keywords of `asyncpg.connect` that the URL may override.
    """

    def __init__(self, settings: ApiSettings, name: str = "database_url", **limits: Any) -> None:
        self._settings = settings
        self._name = name
        self._limits: Mapping[str, Any] = {"timeout": CONNECT_TIMEOUT, **limits}
        secret: SecretStr = getattr(settings, name)
        self._url = secret.get_secret_value()
        self.address = parse(self._url)

    async def __call__(self) -> asyncpg.Connection:
        """A new connection. Raises OSError, PostgresError or InterfaceError."""
        url = self._settings.read_again(self._name) or self._url
        try:
            named = parse(url)
        except ValueError:  # the file is half written or wrong
            url, named = self._url, self.address
        try:
            connection = await self._connect(named)
        except FAILURES:
            if url != self._url:  # the file is ahead of Postgres, say, which does not know the password yet
                with suppress(*FAILURES):
                    return await self._connect(self.address)
            raise
        self._url, self.address = url, named
        return connection

    async def _connect(self, address: DatabaseAddress) -> asyncpg.Connection:
        try:
            return await asyncpg.connect(**{**self._limits, **address.driver})
        except asyncpg.InternalClientError as error:  # of several servers none takes writes, or one answers nonsense
            raise ConnectionError(str(error)) from error
