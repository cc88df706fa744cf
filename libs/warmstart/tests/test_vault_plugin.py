"""The resource `secrets`, without a server: who asks the vault, when, and what a second start finds."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from drills.certificates import no_certificates
from tests.harness.key_vault import KeyVault, key_vault
from warmstart import Fatal, Lifecycle, ServiceSettings, install
from warmstart.errors import Unavailable
from warmstart.lifecycle.place import Kept
from warmstart.pod.shared import Shared
from warmstart.vault.plugin import vault

pytest.importorskip("azure.identity")
pytest.importorskip("azure.keyvault.secrets")
pytestmark = [pytest.mark.anyio, pytest.mark.skipif(bool(no_certificates()), reason=str(no_certificates()))]

KEY = "0perator-key-that-nobody-may-read"


@pytest.fixture
def anyio_backend() -> str:
    """The library's loop."""
    return "asyncio"


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyVault]:
    """A vault that has the operators' key, and that this process may read."""
    with key_vault(tmp_path) as found:
        found.secrets = {"operator-keys": KEY}
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


class Process:
    """One of a pod, as far as its secrets go: `kept` is what the pod's processes share."""

    def __init__(self, kept: Kept, **given: Any) -> None:
        self.settings = ServiceSettings(**given)
        [plugin] = vault(self.settings)
        [self._resource] = plugin.over([])
        self._app = SimpleNamespace(state=SimpleNamespace(lifecycle=SimpleNamespace(place=SimpleNamespace(kept=kept))))

    async def open(self) -> str:
        """An attempt to open the resource, and what the report says of it."""
        async with self._resource.open(self._app) as filled:
            self.told = str(filled)
        return self.told


async def test_what_the_vault_wants_of_one_process_counts_for_its_siblings(running: KeyVault) -> None:
    """None asks before `Retry-After`; when SECRETS_TIMEOUT is over sooner, each knows why there are no secrets."""
    running.answers = [(429, 3600)]
    kept = Kept()
    with pytest.raises(Unavailable, match=f"{running.address}: 429"):
        await Process(kept).open()
    with pytest.raises(Fatal, match=rf"^SECRETS_TIMEOUT: 0\.2 s are over; {running.address}: 429"):
        await Process(kept, secrets_timeout=0.2).open()
    assert running.asked == ["/secrets"]


def test_a_pod_keeps_what_was_written_last() -> None:
    """Nothing is left of something longer that was there before."""
    kept = Shared()
    with kept.held():
        kept.write(b"a long reason")
        kept.write(b"values")
        assert kept.read() == b"values"


async def test_a_fetch_that_was_cut_is_the_next_attempts(running: KeyVault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can interrupt it, so no second one is started beside it."""
    monkeypatch.setattr("warmstart.vault.fetch.LIMIT", 600)
    monkeypatch.setattr("warmstart.vault.plugin.ATTEMPT", 0.05)
    running.talks.clear()
    process = Process(Kept(), secrets_timeout=600, startup_timeout=3600)
    for _ in range(3):
        with pytest.raises(Unavailable, match=f"{running.address}: no answer within"):
            await process.open()
    monkeypatch.setattr("warmstart.vault.plugin.ATTEMPT", 600)
    running.talks.set()
    assert await process.open() == f"OPERATOR_KEYS from {running.address}"
    assert running.asked == ["/secrets", "/secrets/operator-keys/"]


def test_a_second_start_fetches_again(running: KeyVault) -> None:
    """As a test's client begins one application twice: what the vault has by now counts, and the report names it."""
    settings = ServiceSettings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Lifecycle(app, [], settings, plugins=vault(settings)):
            yield

    app = FastAPI(lifespan=lifespan)
    install(app, settings)
    for key in (KEY, "the-next-key-of-the-operators"):
        running.secrets = {"operator-keys": key}
        with TestClient(app, headers={"Authorization": f"Bearer {key}"}) as client:
            [secrets] = client.get("/startupz").json()["resources"]
            assert secrets["detail"] == f"OPERATOR_KEYS from {running.address}"
    running.secrets = {}
    with TestClient(app) as client:
        [secrets] = client.get("/startupz").json()["resources"]
        assert secrets["detail"] == f"nothing from {running.address}"
