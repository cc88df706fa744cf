"""Makes every connection to Postgres: for the pools, the health samples and the migration."""

from collections.abc import Mapping
from typing import Any

import asyncpg
from pydantic import SecretStr

from api.database_url import DatabaseAddress, parse
from api.settings import ApiSettings

CONNECT_TIMEOUT = 2.0  # seconds; asyncpg's own 60 could eat the whole start-up budget
FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Connector:
    """Connects to an address; when that fails, looks whether its file names another address or password by now.

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
        try:
            return await self._connect(self.address)
        except FAILURES:
            url = self._settings.read_again(self._name)
            if url is None or url == self._url:
                raise
            try:
                changed = parse(url)
            except ValueError:  # the file is half written or wrong: keep the known address
                changed = None
            if changed is None:
                raise
        connection = await self._connect(changed)
        self._url, self.address = url, changed
        return connection

    async def _connect(self, address: DatabaseAddress) -> asyncpg.Connection:
        try:
            return await asyncpg.connect(**{**self._limits, **address.driver})
        except asyncpg.InternalClientError as error:  # of several servers none takes writes, or one answers nonsense
            raise ConnectionError(str(error)) from error
