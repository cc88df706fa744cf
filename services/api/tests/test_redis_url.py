"""What may stand in `REDIS_URL`: what is given works, or is refused by its name when the settings are read."""

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection

from api.redis_connection import connect
from api.redis_url import parse
from api.settings import ApiSettings
from services.api.tests.conftest import Start
from stack import EmbeddedStack, until

WORKING = [
    "socket_timeout=1&socket_connect_timeout=1&timeout=1",
    "max_connections=3&health_check_interval=5&client_name=mine",
    "retry_on_timeout=true&socket_keepalive=yes",
    "db=1&protocol=3",
    "protocol=2&socket_read_size=4096",
]


@pytest.mark.parametrize("options", WORKING)
@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_what_is_given_works(stack: EmbeddedStack, start: Start, options: str, scheme: str) -> None:
    """The api opens, samples and caches with options that it has values of its own for, too."""
    url = stack.url("valkey").replace("redis:", f"{scheme}:")
    client = start(redis_url=f"{url}?{options}")
    until(lambda: "[+]redis ok" in client.get("/readyz?verbose").text, 20, "redis")
    text = {"input": f"cached {options} {scheme}", "model": "all-MiniLM-L6-v2"}
    until(lambda: cached(client, text), 20, "a hit")


def cached(client: TestClient, text: dict[str, str]) -> bool:
    """Whether the worker had nothing to do."""
    return "inference;dur=0.000" in client.post("/v1/embeddings", json=text).headers["Server-Timing"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("decode_responses=true", "decode_responses: no option"),
        ("encoding=utf-16", "encoding: no option"),
        ("retry=3", "retry: no option"),
        ("retry_on_error=x", "retry_on_error: no option"),
        ("credential_provider=x", "credential_provider: no option"),
        ("foo=bar", "foo: no option"),
        ("ssl_cert_reqs=none", "ssl_cert_reqs: no option"),
        ("socket_timeout=soon", "socket_timeout: no such value"),
        ("max_connections=many", "max_connections: no such value"),
        ("socket_timeout=0", "more than 0"),
        ("socket_timeout=nan", "more than 0"),
        ("max_connections=-1", "more than 0"),
        ("protocol=9", "protocol 2 or 3"),
        ("db=-1", "db at least 0"),
    ],
)
def test_what_can_not_work_is_refused_by_name(options: str, words: str) -> None:
    """At once, and without the password."""
    with pytest.raises(ValidationError) as caught:
        ApiSettings(redis_url=f"redis://:pa55word@h:1/0?{options}")
    assert words in str(caught.value)
    assert "pa55word" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "pa55word",
        "http://:pa55word@h",
        "redis://:pa55word/x@h:1/0",
        "redis://:12#pa55word@h:1/0",
        "redis://:12?pa55word@h:1/0",
        "redis://:12/pa55word@h:1/0",
        "redis://:pa55word@h:1/main",
        "redis://:pa55word@h:0/0",
        "unix://:pa55word/more@/run/r.sock",
        "unix://pa55word/r.sock",
        "rediss://:pa55word@h:1/0?ssl_ca_certs=/no/such/file",
        "rediss://:pa55word@h:1/0?ssl_cert_reqs=perhaps",
    ],
)
def test_a_url_that_can_not_be_read_is_refused_and_not_shown(url: str) -> None:
    """The error keeps the password to itself."""
    with pytest.raises(ValidationError, match=r"must be redis://|no connection can be made") as caught:
        ApiSettings(redis_url=url)
    assert "pa55word" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h", {"host": "h"}),
        ("redis://u:p%40%2Fw@h:1/2", {"username": "u", "password": "p@/w", "host": "h", "port": 1, "db": 2}),
        (
            "rediss://h?ssl_cert_reqs=CERT_NONE",
            {"host": "h", "connection_class": SSLConnection, "ssl_cert_reqs": "none"},
        ),
        ("valkeys://h", {"host": "h", "connection_class": SSLConnection}),
        ("unix://:p@/run/r.sock?db=1", {"password": "p", "path": "/run/r.sock", "db": 1}),
    ],
)
def test_the_parts_of_a_url(url: str, expected: dict[str, object]) -> None:
    """User, quoted password, TLS under its several names, sockets."""
    found = parse(url)
    assert {name: found[name] for name in expected} == expected
    assert found.get("connection_class") in (None, SSLConnection, UnixDomainSocketConnection)


@pytest.mark.anyio
async def test_a_client_without_a_password_sends_none() -> None:
    """AUTH on a server that asks for none would be refused."""
    async with connect("redis://127.0.0.1:1/0") as client:
        assert client.connection_pool.connection_kwargs.get("credential_provider") is None
