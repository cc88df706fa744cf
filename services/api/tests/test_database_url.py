"""What may stand in `DATABASE_URL`: everything that opens passes the health sample and the migration too."""

import pytest
from fastapi import FastAPI
from pydantic import ValidationError

from api.database_url import parse
from api.migrate import migrate
from api.postgres import check_postgres, open_postgres
from api.settings import ApiSettings
from services.api.tests.conftest import Settings
from stack import EmbeddedStack

HOST = "postgresql://u:pa55word@db:5432/d"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "options",
    [
        "prepared_statement_cache_size=0",
        "statement_cache_size=0",
        "pgbouncer=true&connect_timeout=10",
        "command_timeout=3",
        "timeout=1.5",
        "sslmode=disable",
        "sslmode=prefer&channel_binding=prefer&gssencmode=disable",
        "ssl=false",
        "application_name=mine&options=-c%20geqo%3Doff%20-c%20jit%3Doff",
        "fallback_application_name=mine&statement_timeout=5000&client_encoding=utf8",
        "target_session_attrs=read-write",
        "max_cached_statement_lifetime=0&max_cacheable_statement_size=0",
        "host=127.0.0.1:1,127.0.0.1:{port}",
    ],
)
@pytest.mark.parametrize("scheme", ["postgres", "postgresql+asyncpg"])
async def test_what_opens_passes_sample_and_migration(
    stack: EmbeddedStack, settings: Settings, options: str, scheme: str
) -> None:
    """Options of asyncpg, of SQLAlchemy and of libpq work in all three places, or in none."""
    url = stack.url("postgres").replace("postgresql+asyncpg", scheme)
    app = FastAPI()
    app.state.settings = settings(database_url=f"{url}?{options.format(port=stack.site.ports['postgres'])}")
    await migrate(app.state.settings)
    async with open_postgres(app) as database:
        for _ in range(3):
            await check_postgres(database)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("foo=bar", "foo: no option"),
        ("prepared_statement_name_func=uuid4", "prepared_statement_name_func: not possible"),
        ("server_settings=x", "server_settings: not possible here: use options"),
        ("channel_binding=require", "channel_binding: not possible"),
        ("target_session_attrs=standby", "target_session_attrs: must be one of any"),
        ("sslmode=always", "sslmode: must be one of allow"),
        ("sslmode=verify-full", "sslmode: verify-full needs sslrootcert"),
        ("sslmode=verify-ca&sslrootcert=/no/such/file", "sslrootcert: there is no such file"),
        ("sslrootcert=/etc/hostname", "sslrootcert: holds no certificate"),
        ("timeout=soon", "timeout: must be a number"),
        ("command_timeout=0", "command_timeout: must be more than 0"),
        ("connect_timeout=-1", "timeout: must be more than 0"),
        ("pgbouncer=perhaps", "pgbouncer: must be true or false"),
        ("connection_limit=5", "connection_limit: not possible here: set DATABASE_POOL_SIZE"),
        ("timeout=1&timeout=2", "timeout is given twice"),
    ],
)
def test_what_can_not_work_is_refused_by_name(options: str, words: str) -> None:
    """At once, when the settings are read, and without the password."""
    with pytest.raises(ValidationError) as caught:
        ApiSettings(database_url=f"{HOST}?{options}")
    assert words in str(caught.value)
    assert "pa55word" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "pa55word",
        "mysql://u:pa55word@db/d",
        "jdbc:postgresql://db/d?password=pa55word",
        "postgresql://u:pa55word/x@db/d",
        "postgresql://u:pa55word#x@db/d",
        "postgresql://u:5432?pa55word=x@db/d",
        "postgresql://u:pa55word@db:port/d",
        "postgresql://u:pa55word@[::1/d",
        "postgresql://u:pa55word@db:5432,/d",
        "postgresql://u:x@db/d?pa55word",
    ],
)
def test_a_url_that_can_not_be_read_is_refused_and_not_shown(url: str) -> None:
    """The error says what an address must look like, and keeps the password to itself."""
    with pytest.raises(ValidationError, match=r"must be postgresql\+asyncpg://") as caught:
        ApiSettings(database_url=url)
    assert "pa55word" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgres://u:p%40%2Fw@db/d", {"user": "u", "password": "p@/w", "database": "d", "host": "db", "port": 5432}),
        ("postgres://u:p@w@db/d", {"user": "u", "password": "p@w", "database": "d", "host": "db", "port": 5432}),
        ("postgres://[::1]:33/d", {"database": "d", "host": "::1", "port": 33}),
        (
            "postgres:///d?host=/run/postgresql&user=u",
            {"user": "u", "database": "d", "host": "/run/postgresql", "port": 5432},
        ),
        (
            "postgres://a:1,b:2/d",
            {"database": "d", "host": ["a", "b"], "port": [1, 2], "target_session_attrs": "read-write"},
        ),
        ("postgres://db/d?sslmode=require", {"database": "d", "host": "db", "port": 5432, "ssl": "require"}),
        ("postgres://db/d?ssl=true", {"database": "d", "host": "db", "port": 5432, "ssl": "require"}),
    ],
)
def test_the_parts_of_a_url(url: str, driver: dict[str, object]) -> None:
    """Quoted characters, IPv6, sockets, several hosts (of which one that can write is chosen), encryption."""
    assert parse(url).driver == driver


def test_an_address_does_not_print_its_password() -> None:
    """A traceback or a log line that shows the object shows no password."""
    assert "pa55word" not in repr(parse(HOST))
