"""What a vault gives the api: keys that count from the first request on, and URLs."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.resources import REPLICA, RESOURCES
from api.settings import ApiSettings
from drills.certificates import no_certificates
from tests.harness.key_vault import KeyVault, key_vault
from warmstart import Resource
from warmstart.lifecycle.lifespan import StartFailed

pytest.importorskip("azure.keyvault.secrets")
pytestmark = pytest.mark.skipif(bool(no_certificates()), reason=str(no_certificates()))

KEY = "key-of-the-api-that-is-long-enough"
PATH = "/v1/nowhere"  # 401 for strangers, 404 for others


@asynccontextmanager
async def nothing(_: object) -> AsyncIterator[None]:
    """What no test here asks."""
    yield


STAND_INS = [Resource(each.name, nothing) for each in RESOURCES]


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyVault]:
    """It has a URL of Postgres."""
    with key_vault(tmp_path) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        running.secrets = {"DATABASE-URL": "postgresql://warmstart:pa55word@db.example.com/warmstart"}
        yield running


def test_urls_reach_who_opens_them(vault: KeyVault) -> None:
    """The settings of the application have them, in the place of the default."""
    with TestClient(create_app(resources=STAND_INS)) as client:
        settings: ApiSettings = client.app.state.settings  # type: ignore[attr-defined]
        assert "db.example.com" in settings.database_url.get_secret_value()


def test_without_keys_in_the_vault_the_api_is_open(vault: KeyVault) -> None:
    """As it is in development without a vault."""
    with TestClient(create_app(resources=STAND_INS)) as client:
        assert client.get(PATH).status_code == 404


def test_keys_of_the_vault(vault: KeyVault) -> None:
    """Strangers are refused."""
    vault.secrets["api-keys"] = KEY
    with TestClient(create_app(resources=STAND_INS)) as client:
        assert client.get(PATH).status_code == 401
        assert client.get(PATH, headers={"Authorization": f"Bearer {KEY}"}).status_code == 404


def test_nobody_is_let_in_before_the_vault_has_answered(vault: KeyVault) -> None:
    """It may have keys."""
    client = TestClient(create_app(resources=STAND_INS))  # its lifespan has not begun
    assert client.get("/v1/system").status_code == 401


@pytest.mark.parametrize(
    ("secrets", "told"),
    [
        ({}, "API_KEYS: ENVIRONMENT=production needs keys"),
        ({"api-keys": "s3cret"}, "API_KEYS: ENVIRONMENT=production needs random keys of 22"),
        ({"api-keys": KEY, "redis-url": "s3cret"}, "REDIS_URL: "),
        ({"api-keys": KEY, "worker-secret": "sécret"}, "WORKER_SECRET: "),
    ],
)
def test_what_production_refuses(
    vault: KeyVault, monkeypatch: pytest.MonkeyPatch, secrets: dict[str, str | None], told: str
) -> None:
    """The start ends; vault and setting are named, the value is not."""
    monkeypatch.setenv("ENVIRONMENT", "production")
    vault.secrets = secrets
    with pytest.raises(StartFailed) as refused, TestClient(create_app(resources=STAND_INS)):
        pass
    assert f"{vault.address}: {told}" in str(refused.value)
    assert not any(each in str(refused.value) for each in ("s3cret", "sécret", KEY))


def test_an_empty_variable_that_the_vault_fills(vault: KeyVault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose passes empty ones; one that stays empty in production ends the start as ever."""
    monkeypatch.setenv("ENVIRONMENT", "production")
    for name in ("API_KEYS", "DATABASE_URL"):
        monkeypatch.setenv(name, "")
    vault.secrets["api-keys"] = KEY
    with TestClient(create_app(resources=STAND_INS)) as client:
        assert client.get(PATH).status_code == 401
    del vault.secrets["DATABASE-URL"]
    with pytest.raises(StartFailed, match="DATABASE_URL: it is empty"), TestClient(create_app(resources=STAND_INS)):
        pass


def test_a_replica_is_searched_if_the_vault_names_one(vault: KeyVault) -> None:
    """Without one, searches use Postgres, and nothing is degraded."""
    with TestClient(create_app(resources=[*STAND_INS, REPLICA])) as client:
        found = {each["name"]: each for each in client.get("/startupz").json()["resources"]}
    assert found["replica"]["state"] == "ready"
    assert "not set" in found["replica"]["detail"]
