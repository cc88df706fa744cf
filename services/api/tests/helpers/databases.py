"""Databases of a test's own on the stack's Postgres, and SQL on them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from api.database_url import parse
from api.migrate import migrate
from api.settings import ApiSettings


def sql(url: str, *statements: str) -> Any:
    """Run statements, each in a transaction of its own; the first value of the last one's answer."""

    async def run() -> Any:
        connection = await asyncpg.connect(**parse(url).driver)
        try:
            return [await connection.fetchval(each) for each in statements][-1]
        finally:
            await connection.close()

    return asyncio.run(run())


@contextmanager
def own_database(url: str) -> Iterator[str]:
    """The address of a new database with the schema at head, beside the one at `url`; dropped afterwards."""
    name = f"own_{uuid4().hex}"
    own = urlsplit(url)._replace(path=f"/{name}").geturl()
    sql(url, f"CREATE DATABASE {name}")
    try:
        asyncio.run(migrate(ApiSettings(database_url=own)))
        yield own
    finally:
        sql(url, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def shut(url: str) -> Iterator[None]:
    """Inside the block nobody is connected to this database, or can be."""
    name = urlsplit(url).path.removeprefix("/")
    server = urlsplit(url)._replace(path="/postgres").geturl()
    sql(
        server,
        f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
        f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    try:
        yield
    finally:
        sql(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
