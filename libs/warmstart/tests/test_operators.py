"""What a service tells of its inside, and to whom; and the headers of every answer."""

import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient
from pydantic import SecretStr

from stack import until
from warmstart import Lifecycle, Resource, ServiceSettings, install
from warmstart.http.operators import Operators
from warmstart.security_headers import SecurityHeaders
from warmstart.settings import watched

REASON = "no route to 10.0.0.7"
KEY = {"Authorization": "Bearer 0perator"}


@asynccontextmanager
async def broken(_: object) -> AsyncIterator[None]:
    """A resource that never opens, and whose reason names an address."""
    raise OSError(REASON)
    yield


@pytest.fixture
def start() -> Iterator[Any]:
    """`start(environment="production")`: a client of a small service."""
    with ExitStack() as running:

        def begin(**given: Any) -> TestClient:
            settings = ServiceSettings(**given)

            @asynccontextmanager
            async def lifespan(app: FastAPI) -> AsyncIterator[None]:
                async with Lifecycle(app, [Resource("cache", broken, required=False)], settings):
                    yield

            app = FastAPI(lifespan=lifespan)

            @app.get("/page")
            async def page(request: Request) -> Response:
                if "if-none-match" in request.headers:  # as Starlette's StaticFiles answers, without its own headers
                    return Response(status_code=304, headers={"ETag": '"1"'})
                own = {"Content-Security-Policy": "default-src 'self'", "ETag": '"1"'}
                return Response("x", headers=own)

            @app.get("/fails")
            async def fails() -> None:
                raise RuntimeError

            install(app, settings, known=lambda scope: (b"x-known", b"1") in scope["headers"])
            return running.enter_context(TestClient(app, raise_server_exceptions=False))

        yield begin


@pytest.mark.parametrize("given", [{"environment": "production"}, {"operator_keys": "0perator, other"}])
def test_the_inside_is_withheld_from_strangers(start: Any, given: dict[str, str]) -> None:
    """Statuses and names are for everybody; reasons, processes, resources and metrics are not."""
    client = start(**given)
    until(lambda: "[-]cache" in client.get("/readyz?verbose").text, 20, "the first sample")
    assert client.get("/readyz").text == "ok"
    shown = client.get("/readyz?verbose")
    assert shown.text.splitlines()[1:] == [
        "[-]cache failed: reason withheld (not gating)",
        "readyz check passed",
    ]
    one = client.get("/readyz/cache")
    assert (one.status_code, one.text) == (503, "[-]cache failed: reason withheld (not gating)\n")
    started = client.get("/startupz")
    assert (started.status_code, started.json()["phase"]) == (200, "ready")
    assert (started.json()["resources"], started.json()["processes"]) == ([], [])
    metrics = client.get("/metrics")
    assert (metrics.status_code, metrics.headers["www-authenticate"]) == (401, "Bearer")
    assert metrics.json()["error"]["code"] == "invalid_api_key"
    assert client.get("/livez").text == "ok"
    assert client.get("/metrics", headers={"Authorization": "Bearer 0perato"}).status_code == 401


@pytest.mark.parametrize(
    ("given", "headers"),
    [
        ({}, {}),
        ({"environment": "production", "operator_keys": "0perator"}, KEY),
        ({"environment": "production"}, {"X-Known": "1"}),
    ],
)
def test_who_may_see_the_inside(start: Any, given: dict[str, str], headers: Mapping[str, str]) -> None:
    """Everybody in development; in production who has an operator's key, or whom the service knows."""
    client = start(**given)
    until(lambda: REASON in client.get("/readyz?verbose", headers=headers).text, 20, "the reason")
    assert REASON in client.get("/startupz", headers=headers).text
    assert client.get("/metrics", headers=headers).status_code == 200


def test_the_inside_is_withheld_until_the_vault_has_answered() -> None:
    """It may have keys of operators; without any the inside is open then."""
    settings = ServiceSettings(secrets_from="gcp:project")
    operators = Operators(settings)
    stranger: dict[str, Any] = {"type": "http", "headers": []}
    assert not operators.may_read(stranger)
    settings.fill_in({})
    assert operators.may_read(stranger)
    settings.fill_in({"operator_keys": SecretStr("0perator")})
    assert not operators.may_read(stranger)


def test_an_operators_key_is_revoked_by_its_file(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a restart; an emptied file lets nobody in."""
    monkeypatch.setattr(watched, "PERIOD", 0.01)
    file = tmp_path / "keys"
    file.write_text("0perator")
    monkeypatch.setenv("OPERATOR_KEYS_FILE", str(file))
    with caplog.at_level(logging.INFO):
        client = start()
        assert client.get("/metrics", headers=KEY).status_code == 200
        file.write_text("")
        until(lambda: client.get("/metrics", headers=KEY).status_code == 401, 20, "the revocation")
    assert "0perator" not in caplog.text


def test_every_answer_has_security_headers(start: Any) -> None:
    """Errors, probes and what nobody routes too; an answer keeps its own ones, and may be cached if it can be named."""
    client = start()
    for path, status in {"/livez": 200, "/metrics": 200, "/nowhere": 404, "/fails": 500, "/openapi.json": 200}.items():
        answer = client.get(path)
        assert answer.status_code == status
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in answer.headers
    page = client.get("/page").headers
    assert page.get_list("content-security-policy") == ["default-src 'self'"]
    assert "cache-control" not in page
    assert page["x-frame-options"] == "DENY"
    assert start(hsts_seconds=3600).get("/livez").headers["strict-transport-security"] == "max-age=3600"


def test_an_answer_that_a_browser_has_kept_keeps_its_headers(start: Any) -> None:
    """A browser replaces them by those of a 304 (RFC 9111, section 3.2): it has none but the application's own."""
    answer = start(hsts_seconds=60).get("/page", headers={"If-None-Match": '"1"'})
    assert (answer.status_code, set(answer.headers)) == (304, {"etag", "x-request-id"})


def test_nothing_is_added_twice() -> None:
    """What an answer has already stays as it is."""
    security = SecurityHeaders(60)
    assert security.missing(security.missing(())) == ()
    assert security.missing([(b"cache-control", b"max-age=5")]) == tuple(
        each for each in security.missing(()) if each[0] != b"cache-control"
    )
